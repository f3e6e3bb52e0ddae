"""Rooms that somebody else wrote, end to end: `jiho run --room NAME` in each, beside a recording of the same calls by other
software. Used by scripts/e2e, which starts it with the sections rooms, surveys and promotions."""

import csv
import glob
import json
import os
import shutil
import statistics
import subprocess
import time

RATE = 48_000
PARTIES = ["ana", "ben", "lena"]
PAIRS = [(speaker, ear) for speaker in PARTIES[:2] for ear in PARTIES if ear != speaker]
WITHIN_MS = 1.0
EXPERIMENT = """name = "{name}"
[run]
duration = "{seconds}s"
{signal}
[[speaker]]
name = "ana"
[[speaker]]
name = "ben"
[[listener]]
name = "lena"
{room}
"""
# Two who sound at once are each other's echo: with processing on they take turns, with the family that survives it best.
TURNS = "[signal.noise_robust]\ntogether = false"
ON = "processing = { echo_cancellation = true, noise_suppression = true, gain_control = true }"
# In place of a relay: what each party's client hears of the microphones of the two speakers is piped to it.
PIPES = """
start = "true; exec sleep 600"
join = '''
pids=
for other in ana ben; do
  test $other = $JIHO_NAME && continue
  parec -d $other-microphone --format=float32le --rate=48000 --channels=1 --latency-msec=20 --raw |
    pacat -d $JIHO_EAR --format=float32le --rate=48000 --channels=1 --latency-msec=20 --raw &
done
wait
'''
"""

BROWSER, JANUS = ("chromium", "chromium"), ("janus", "janus")


class Case:
    """A room with its clients and settings; `served` is what its stage and its audience are served by, in truth."""

    def __init__(self, room, client, label, served, needs=(), settings="", signal="", features=()):
        self.room, self.client, self.label, self.served = room, client, label, served
        self.needs, self.settings, self.signal, self.features = needs, settings, signal, features

    @property
    def name(self):
        return "-".join(part for part in [self.room, self.client, *self.label.split()] if part)

    def experiment(self, seconds):
        room = f"[room.{self.room}]\n{self.settings}" + (f'\nclient = "{self.client}"' if self.client else "")
        return EXPERIMENT.format(name=self.name, seconds=seconds, signal=self.signal, room=room)

    def lacks(self):
        """What is not there, in words."""
        missing = [package for program, package in self.needs if not there(program)]
        return f"needs {', '.join(missing)}" if missing else None


CASES = [
    Case("mesh", "browser", "", "mesh", [BROWSER]),
    Case("mesh", "browser", "default", "mesh", [BROWSER], ON, TURNS),
    Case("mesh", "probe", "", "mesh"),
    Case("videoroom", "browser", "", "forward", [BROWSER, JANUS]),
    Case("videoroom", "browser", "default", "forward", [BROWSER, JANUS], ON, TURNS),
    Case("videoroom", "probe", "", "forward", [JANUS]),
    Case("audiobridge", "browser", "", "mix", [BROWSER, JANUS]),
    Case("audiobridge", "browser", "default", "mix", [BROWSER, JANUS], ON, TURNS),
    Case("audiobridge", "probe", "", "mix", [JANUS]),
    Case("audiobridge", "rtp", "", "mix", [JANUS]),
    Case("audiobridge", "rtp", "prebuffering 2", "mix", [JANUS], "prebuffering = 2"),
    Case("mumble", "", "", "forward", [("murmurd", "mumble-server")]),
    Case("whip", "browser", "", "forward", [BROWSER]),
    Case("whip", "probe", "", "forward"),
    Case("command", "", "pipes", "mesh", [("parec", "pulseaudio-utils")], PIPES),
]


def there(program):
    return shutil.which(program) or os.path.exists(f"/usr/sbin/{program}")


def wanted(args):
    """The cases that were asked for, and can be had; the others by name with the reason."""
    for case in CASES:
        if args.room and not any(case.name.startswith(room) for room in args.room):
            continue
        lacks = case.lacks()
        if lacks:
            print(f"skipped: {case.name}: {lacks}", flush=True)
        else:
            yield case


class Bus:
    """The bus of jiho's, up, with a recording of all its channels by parec whenever one is asked for."""

    def __init__(self, jiho, folder):
        self.jiho, self.folder = jiho, folder

    def __enter__(self):
        up = [self.jiho, "device", "bus", "up", *PARTIES, "--folder", self.folder, "--format", "json"]
        said = json.loads(subprocess.run(up, check=True, capture_output=True, text=True).stdout)
        self.env = {**os.environ, **said["environment"]}
        self.channels = {party["name"]: (party["mouth"]["channel"] - 1, party["ear"]["channel"] - 1)
                         for party in said["parties"]}
        self.count, self.source = said["all"]["channels"], said["all"]["source"]
        return self

    def __exit__(self, *_):
        down = [self.jiho, "device", "bus", "down", "--folder", self.folder]
        subprocess.run(down, check=True, stdout=subprocess.DEVNULL)

    def record(self, file):
        process = subprocess.Popen(
            ["parec", "-d", self.source, "--raw", "--format=float32le", f"--rate={RATE}", f"--channels={self.count}",
             "--channel-map=" + ",".join(f"aux{n}" for n in range(self.count)), "--no-remix", "--latency-msec=50"],
            env=self.env, stdout=file)
        subprocess.run(["chrt", "-a", "-f", "-p", "12", str(process.pid)], capture_output=True)
        return process


def run_once(jiho, bus, case, experiment, out, *options):
    """A run, recorded by parec too; gives its exit code, what it said, and the file."""
    raw = f"{out}.raw"
    with open(raw, "wb") as file:
        listener = bus.record(file)
        command = [jiho, "run", experiment, "--room", case.room, "--on", "device", "--out", out, *options]
        try:
            ran = gently(command, bus.env, 180)
        finally:
            listener.terminate()
            listener.wait()
    return ran, raw


def gently(command, env=None, seconds=900):
    """Runs a command; one that takes too long, or that whoever stops this script leaves behind, is told to end, and so ends
    what it started itself."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=seconds)
    except BaseException as error:
        process.terminate()
        out, err = process.communicate(timeout=60)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def rooms(jiho, args, folder, _, beeps_in):
    """Every room: delays from sound over several joins, beside those of parec and scipy in the same calls; the architecture
    named blind; results in results.json of `--keep`."""
    results, fine = [], True
    print("\nRooms of others', ms from mouth to ear; every run is a join for each of three parties", flush=True)
    for case in wanted(args):
        result = room(jiho, args, folder, case, beeps_in)
        fine &= result["fine"]
        results.append(result)
        print(line_of(result), flush=True)
    keep(args, "rooms.json", results)
    return fine


def room(jiho, args, folder, case, beeps_in):
    at = os.path.join(folder, case.name)
    os.makedirs(at, exist_ok=True)
    experiment = os.path.join(at, "experiment.toml")
    with open(experiment, "w") as file:
        # Whoever takes turns needs twice the time.
        file.write(case.experiment(args.seconds * (2 if case.signal == TURNS else 1)))
    result = {"name": case.name, "room": case.room, "client": case.client, "label": case.label, "pairs": {}, "off": [],
              "verdicts": [], "served": case.served, "wrong": [], "spoilt": [], "runs": 0, "fine": True}
    with Bus(jiho, os.path.join(at, "bus")) as bus:
        for number in range(2 * args.joins):
            if result["runs"] == args.joins:
                break
            out = os.path.join(at, f"run-{number}")
            ran, raw = run_once(jiho, bus, case, experiment, out)
            if not os.path.exists(f"{out}/delays.csv"):
                result["wrong"].append(f"exit code {ran.returncode}: {(ran.stderr.strip().splitlines() or ['nothing'])[-1]}")
                continue
            ours = delays_of(out)
            silent = [pair for pair in PAIRS if len(ours.get(pair, {})) < 3]
            if silent:
                # On a busy machine browsers' jitter buffers move for seconds, and what they stretch is no beep any more.
                result["spoilt"].append(f"run {number}: fewer than 3 beeps heard: {', '.join(map('-'.join, silent))}")
                continue
            result["runs"] += 1
            with open(f"{out}/run.json") as file:
                told = json.load(file)
            result["room_told"], devices = told["room"], told["devices"]
            # Both in ms of the bus.
            faster = 1 + 1e-6 * (devices["skew_ppm"] or 0)
            ours = {pair: {beep: delay * faster for beep, delay in delays.items()} for pair, delays in ours.items()}
            family = "noise_robust" if case.signal == TURNS else "voiced"
            theirs = delays_in(raw, bus, lambda sound, code: beeps_in(sound, code, family), ours)
            for pair, delays in ours.items():
                result["pairs"].setdefault("-".join(pair), []).append(statistics.median(delays.values()))
                if pair not in theirs:
                    result["wrong"].append(f"run {number}: {pair}: not in parec's recording")
                    continue
                result["off"].append(statistics.median(delays[beep] - theirs[pair][beep] for beep in theirs[pair]))
            for tier in ["stage", "audience"]:
                result["verdicts"].append(judged(out, tier, case.served))
            os.remove(raw)
    if not result["off"] or max(map(abs, result["off"])) > WITHIN_MS:
        result["wrong"].append("jiho and scipy differ")
    if result["runs"] < args.joins:
        result["wrong"].append(f"only {result['runs']} of {args.joins} runs are of use")
    if "wrong" in result["verdicts"]:
        result["wrong"].append("the architecture was misnamed")
    result["fine"] = not result["wrong"]
    return result


def line_of(result):
    if not result["pairs"]:
        return f"WRONG {result['name']:28} {'; '.join(result['wrong'])}"
    medians = [value for values in result["pairs"].values() for value in values]
    spread = statistics.mean(statistics.pstdev(values) for values in result["pairs"].values())
    off = max(map(abs, result["off"])) if result["off"] else float("nan")
    verdicts = ", ".join(f"{result['verdicts'].count(word)} {word}" for word in ["right", "undecided", "wrong"]
                         if word in result["verdicts"])
    return (f"{'ok   ' if result['fine'] else 'WRONG'} {result['name']:28} {statistics.median(medians):8.2f} "
            f"({min(medians):.2f}–{max(medians):.2f}), sd over joins {spread:.2f}, off scipy {off:.3f} at most; {verdicts}"
            + (f"; {len(result['spoilt'])} runs spoilt and repeated" if result["spoilt"] else "")
            + "".join(f"\n      {wrong}" for wrong in result["wrong"]))


def delays_of(run):
    """What a run measured: by pair and beep, in ms."""
    heard = {}
    with open(f"{run}/delays.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "heard":
                pair = heard.setdefault((row["speaker"], row["recorder"]), {})
                pair[int(row["beep"])] = 1e-6 * float(row["delay_ns"])
    return heard


def delays_in(path, bus, beeps_in, ours):
    """The same by matched filters in one recording of all channels. Beeps are counted from the first that left a mouth there;
    which of jiho's that is, is found by trying."""
    import numpy
    sound = numpy.fromfile(path, dtype="<f4")
    sound = sound[: len(sound) // bus.count * bus.count].reshape(-1, bus.count)
    found = {}
    for code, speaker in enumerate(PARTIES[:2]):
        said = beeps_in(sound[:, bus.channels[speaker][0]], code)
        for ear in PARTIES:
            if ear == speaker or (speaker, ear) not in ours:
                continue
            heard = beeps_in(sound[:, bus.channels[ear][1]], code)
            delays = by_sequence(said, heard)
            found[speaker, ear] = {beep: delays[beep] for beep in ours[speaker, ear] if beep in delays}
            if not found[speaker, ear]:
                del found[speaker, ear]
    return found


def by_sequence(said, heard):
    """How late each beep was: instants are irregular, so that of all delays one fits most of them."""
    differences = sorted(late - at for at in said for late in heard if 0 < late - at < 1500)
    if not differences:
        return {}
    near = lambda middle: sum(abs(value - middle) < 40 for value in differences)
    middle = max(differences, key=near)
    delays = {}
    for beep, at in enumerate(said):
        fitting = [late - at for late in heard if abs(late - at - middle) < 80]
        if fitting:
            delays[beep] = min(fitting, key=lambda value: abs(value - middle))
    return delays


def judged(run, tier, served):
    """Whether the table names what served the tier: right, undecided or wrong."""
    with open(f"{run}/topology.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["tier"] == tier]
    if not rows:
        return "undecided"
    left = [row["hypothesis"] for row in rows if row["verdict"] != "ruled_out"]
    named = any(row["verdict"] == "named" for row in rows)
    right = any(hypothesis in (served, f"delayed_{served}") for hypothesis in left)
    return "wrong" if not right else "right" if named else "undecided"


def keep(args, name, value):
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
        with open(os.path.join(args.keep, name), "w") as file:
            json.dump(value, file, indent=1)


PROMOTIONS = """name = "{name}"
[run]
duration = "{seconds}s"
{signal}
[[speaker]]
name = "ana"
[[listener]]
name = "lena"
{mute}
{events}
[room.{room}]
client = "browser"
promotion = "{way}"
{processing}
"""
PROCESSING = {
    "off": (False, False, False),
    "on": (True, True, True),
    "echo cancelling": (True, False, False),
    "noise suppression": (False, True, False),
    "gain control": (False, False, True),
}
# How often somebody is promoted in a run, and how long each stays on the stage and off it, in seconds.
TIMES, ON_STAGE, OFF_STAGE, FIRST = 8, 7, 2, 3


def promotions(jiho, args, folder, _, __):
    """Promotion in real rooms, as heard: the time from the click to the first sound at somebody else's ear, and what the
    promoted one misses; far end silent and active, processing off, on, and each part alone."""
    results = []
    ways = [("videoroom", "in_place"), ("videoroom", "rejoin"), ("audiobridge", "in_place"), ("audiobridge", "rejoin")]
    signals = {"pilot": "[signal.pilot]", "beeps": '[signal.voiced]\nperiod = "300ms"\nspread = "60ms"'}
    print("\nPromotions, ms: first sound at another's ear after the click; what the promoted one misses", flush=True)
    for room_name, way in ways:
        for processing in PROCESSING:
            if way == "rejoin" and processing not in ("off", "on"):
                continue
            for far_end in ["silent", "active"]:
                for signal in ["pilot", "beeps"] if way == "in_place" and room_name == "videoroom" else ["pilot"]:
                    result = promotion(jiho, folder, room_name, way, processing, far_end, signal, signals[signal])
                    results.append(result)
                    first, missed = summary(result["first_audio"]), summary(result["missed"])
                    print(f"{room_name} {way} {processing}, far end {far_end}, {signal}: first {first}; misses {missed}; "
                          f"unheard {result['unheard']} of {result['count']} {result.get('failed', '')}", flush=True)
                    keep(args, "promotions.json", results)
    return True


def summary(values):
    if not values:
        return "–"
    return f"{statistics.median(values):.0f} ({min(values):.0f}–{max(values):.0f}) of {len(values)}"


def promotion(jiho, folder, room_name, way, processing, far_end, signal, signal_text):
    name = "-".join([room_name, way, processing.replace(" ", "_"), far_end, signal])
    out = os.path.join(folder, f"promotion-{name}")
    echo, noise, gain = (str(value).lower() for value in PROCESSING[processing])
    each = ON_STAGE + OFF_STAGE
    events = "".join(f'[[event]]\nat = "{FIRST + n * each}s"\npromote = "lena"\n'
                     f'[[event]]\nat = "{FIRST + n * each + ON_STAGE}s"\ndemote = "lena"\n' for n in range(TIMES))
    experiment = f"{out}.toml"
    with open(experiment, "w") as file:
        file.write(PROMOTIONS.format(
            name=name, seconds=FIRST + TIMES * each + 1, signal=signal_text, room=room_name, way=way, events=events,
            mute='[[event]]\nat = "500ms"\nmute = "ana"\n' if far_end == "silent" else "",
            processing=f"processing = {{ echo_cancellation = {echo}, noise_suppression = {noise}, gain_control = {gain} }}"))
    ran = gently([jiho, "run", experiment, "--room", room_name, "--out", out])
    result = {"room": room_name, "way": way, "processing": processing, "far_end": far_end, "signal": signal,
              "first_audio": [], "missed": [], "unheard": 0, "count": 0}
    if not os.path.exists(f"{out}/delays.csv"):
        result["failed"] = (ran.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return result
    (by_pilots if signal == "pilot" else by_beeps)(out, result)
    return result


def by_pilots(out, result):
    with open(f"{out}/gaps.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["event"] != "promote":
                continue
            if row["side"] == "ear":
                result["missed"].append(1e-6 * float(row["lost_ns"] or 0))
            else:
                result["count"] += 1
                if row["first_audio_ns"]:
                    result["first_audio"].append(1e-6 * float(row["first_audio_ns"]))
                else:
                    result["unheard"] += 1


def by_beeps(out, result):
    """The first of the promoted one's beeps that is heard after each click, by the instants of delays.csv: coarse to a
    period, and of a sound that comes and goes as speech does."""
    with open(f"{out}/events.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    clicks = [int(row["at_ns"]) for row in rows if row["event"] == "promote" and row["step"] == "asked"]
    ends = [int(row["at_ns"]) for row in rows if row["event"] == "demote" and row["step"] == "asked"]
    with open(f"{out}/emissions.csv", newline="") as file:
        sent = {int(row["beep"]): int(row["sent_ns"]) for row in csv.DictReader(file) if row["speaker"] == "lena"}
    heard = []
    with open(f"{out}/delays.csv", newline="") as file:
        for row in csv.DictReader(file):
            if (row["speaker"], row["recorder"]) == ("lena", "ana") and row["delay_ns"] and int(row["beep"]) in sent:
                heard.append(sent[int(row["beep"])] + int(row["delay_ns"]))
    for click, end in zip(clicks, ends):
        result["count"] += 1
        after = [at for at in heard if click < at < end + 500_000_000]
        if after:
            result["first_audio"].append(1e-6 * (min(after) - click))
        else:
            result["unheard"] += 1


def surveys(jiho, args, folder, _, __):
    """Which families of time signals survive in each room."""
    results = []
    print("\nWhich families of time signals survive: beeps heard of those expected", flush=True)
    for case in wanted(args):
        if case.label in ("pipes",) or "prebuffering" in case.label:
            continue
        experiment, out = os.path.join(folder, f"survey-{case.name}.toml"), os.path.join(folder, f"survey-{case.name}")
        with open(experiment, "w") as file:
            file.write(case.experiment(8))
        command = [jiho, "signal", "survey", experiment, "--room", case.room, "--out", out, "--format", "json"]
        ran = gently(command)
        try:
            said = json.loads(ran.stdout)
        except ValueError:
            print(f"WRONG {case.name}: {ran.stderr.strip()}", flush=True)
            continue
        results.append({"name": case.name, "families": said["families"], "recommended": said["recommended"]})
        row = "  ".join(f"{family['family']} {family['heard']}/{family['expected']}" for family in said["families"])
        print(f"{case.name:28} {row}  → {said['recommended']}", flush=True)
        keep(args, "surveys.json", results)
    return True
