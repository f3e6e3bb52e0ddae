
"use strict";
// Long tables are searched and sorted.
for (const table of document.querySelectorAll("table.long")) {
  const body = table.tBodies[0], rows = [...body.rows], texts = rows.map(row => row.textContent.toLowerCase());
  const find = document.createElement("input");
  find.type = "search";
  find.className = "find";
  find.placeholder = "Search " + rows.length + " rows";
  find.setAttribute("aria-label", "Search: " + table.caption.textContent);
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, n) => { row.hidden = !words.every(word => texts[n].includes(word)); });
  });
  table.parentElement.before(find);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keys = new Map(rows.map(row => [row, row.cells[column].textContent]));
      const numbers = [...keys.values()].every(key => key === "" || !isNaN(key));
      rows.sort((a, b) => {
        const [x, y] = [keys.get(a), keys.get(b)];
        // What is missing comes last, whichever way.
        if (x === "" || y === "") return (x === "") - (y === "");
        return (numbers ? x - y : x.localeCompare(y, "en", { numeric: true })) * (down ? -1 : 1);
      });
      body.append(...rows);
    });
  });
}
// A play head goes over the waveform of what is heard; a click on the waveform goes there.
for (const recording of document.querySelectorAll(".recording")) {
  const audio = recording.querySelector("audio"), head = recording.querySelector(".playhead");
  if (!audio || !head) continue;
  const picture = head.ownerSVGElement, { from, to, seconds } = head.dataset, width = to - from;
  const show = () => {
    const x = +from + width * Math.min(1, audio.currentTime / seconds);
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
    if (!audio.paused) requestAnimationFrame(show);
  };
  audio.addEventListener("play", () => { recording.classList.add("playing"); show(); });
  audio.addEventListener("seeked", show);
  picture.addEventListener("click", event => {
    const box = picture.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * picture.viewBox.baseVal.width;
    audio.currentTime = Math.max(0, Math.min(1, (x - from) / width)) * seconds;
    recording.classList.add("playing");
  });
}
