// Browsers start no worker from a file: address, so the search would not work there. This class runs the script of the
// worker in a frame instead. The search of the theme requires its name.
class IFrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    this.ready = new Promise((resolve) => (frame.onload = resolve));
    const redirect = "postMessage = parent.postMessage.bind(parent);"; // messages of the script go to this page
    frame.srcdoc = `<script>${redirect}<\/script><script src="${new URL(url, location.href)}"><\/script>`;
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
