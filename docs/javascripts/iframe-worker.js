// Browsers start no worker from a file: of the disk, so the search would not work there. Its script runs in a frame
// instead, which has the same interface. The search asks whether the class has this name.
class IFrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    this.ready = new Promise((resolve) => (frame.onload = resolve));
    const answer = "postMessage = parent.postMessage.bind(parent);"; // of the frame: what it says goes to this page
    frame.srcdoc = `<script>${answer}<\/script><script src="${new URL(url, location.href)}"><\/script>`;
    window.addEventListener("message", (event) => {
      if (event.source === frame.contentWindow) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
    });
    document.documentElement.append(frame);
    this.frame = frame;
  }

  async postMessage(data) {
    await this.ready;
    this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
  }
}

if (location.protocol === "file:") {
  window.IFrameWorker = IFrameWorker;
  window.Worker = IFrameWorker;
}
