// What a party's browser does when it is told to: one microphone, and connections by their names. Candidates travel in
// the descriptions, so each is given when all candidates are known.
const jiho = (() => {
  const connections = new Map();
  let microphone = null;
  let muted = false;

  async function voice(processing) {
    if (!microphone) {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: { ...processing, channelCount: 1 } });
      microphone = stream.getAudioTracks()[0];
      microphone.enabled = !muted;
    }
    return microphone;
  }

  function connection(name) {
    let pc = connections.get(name);
    if (!pc) {
      pc = new RTCPeerConnection({ iceServers: [] });
      pc.ontrack = ({ track }) => {
        const audio = new Audio();
        audio.srcObject = new MediaStream([track]);
        audio.play();
        (pc.heard ??= []).push(audio);
      };
      connections.set(name, pc);
    }
    return pc;
  }

  const gathered = (pc) =>
    new Promise((done) => {
      const check = () => pc.iceGatheringState === "complete" && done();
      pc.addEventListener("icegatheringstatechange", check);
      check();
    });

  async function described(pc, description) {
    await pc.setLocalDescription(description);
    await gathered(pc);
    return pc.localDescription.sdp;
  }

  return {
    async offer(name, sends, hears, processing) {
      const pc = connection(name);
      const sending = pc.getSenders().some((sender) => sender.track);
      if (sends && !sending) {
        const track = await voice(processing);
        const free = pc.getTransceivers().find((one) => !one.sender.track);
        if (free) {
          await free.sender.replaceTrack(track);
          free.direction = "sendrecv";
        } else {
          pc.addTransceiver(track, { direction: hears ? "sendrecv" : "sendonly" });
        }
      }
      for (let n = pc.getTransceivers().length; n < hears; n++) {
        pc.addTransceiver("audio", { direction: "recvonly" });
      }
      return described(pc, await pc.createOffer());
    },

    async answer(name, offer, sends, processing) {
      const pc = connection(name);
      await pc.setRemoteDescription({ type: "offer", sdp: offer });
      if (sends && !pc.getSenders().some((sender) => sender.track)) {
        const track = await voice(processing);
        const [first] = pc.getTransceivers();
        await first.sender.replaceTrack(track);
        first.direction = "sendrecv";
      }
      return described(pc, await pc.createAnswer());
    },

    async accept(name, answer) {
      await connections.get(name).setRemoteDescription({ type: "answer", sdp: answer });
    },

    connected(name) {
      const pc = connections.get(name);
      return new Promise((done, failed) => {
        const check = () => {
          if (pc.connectionState === "connected") done();
          if (["failed", "closed"].includes(pc.connectionState)) failed(new Error(`the connection ${pc.connectionState}`));
        };
        pc.addEventListener("connectionstatechange", check);
        check();
      });
    },

    // Whoever sends no more gives the microphone back.
    close(name) {
      connections.get(name)?.close();
      connections.delete(name);
      const sends = (pc) => pc.getSenders().some((sender) => sender.track);
      if (microphone && ![...connections.values()].some(sends)) {
        microphone.stop();
        microphone = null;
      }
    },

    closeAll() {
      for (const name of [...connections.keys()]) this.close(name);
    },

    mute(wanted) {
      muted = wanted;
      if (microphone) microphone.enabled = !muted;
    },

    async stats() {
      const all = {};
      for (const [name, pc] of connections) {
        const report = [...(await pc.getStats()).values()];
        all[name] = report.filter(({ type }) => ["inbound-rtp", "outbound-rtp", "media-playout"].includes(type));
      }
      return { microphone: microphone?.getSettings() ?? null, connections: all };
    },
  };
})();
globalThis.jiho = jiho;
