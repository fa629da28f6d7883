// The panel works without this. With it times are told in the reader's zone, the preview follows what is typed, and the state
// and the fleet are looked at every two seconds.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const words = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const tell = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      time.title = time.textContent;
      time.textContent = words.format(new Date(time.dateTime));
    }
  };
  tell(document);

  const field = document.querySelector("[data-zone]");
  if (field && zone) {
    field.value = zone;
    document.querySelector("[data-zone-name]").textContent = zone;
  }

  const form = document.querySelector("[data-opening]");
  const show = document.querySelector("[data-preview]");
  if (form && show) {
    let pending;
    const preview = () => form.requestSubmit(show);
    form.addEventListener("input", () => {
      clearTimeout(pending);
      pending = setTimeout(preview, 400);
    });
    form.addEventListener("submit", () => clearTimeout(pending));
  }

  const base = location.pathname.replace(/[^/]*$/, "");
  const get = async (what) => {
    const answer = await fetch(base + "api/" + what, { headers: { Accept: "application/json" }, cache: "no-store" });
    return answer.ok ? answer.json() : null;
  };
  const body = document.querySelector("[data-instances]");
  const drained = document.querySelector("[data-drained]");
  const cell = (name, text) => {
    const c = document.createElement(name);
    c.textContent = text;
    return c;
  };
  const fleet = (f) => {
    if (!f || !body) return;
    const text = f.drained === null ? f.instances.length + " running" : f.drained + " of " + f.instances.length + " drained";
    if (drained.textContent !== text) drained.textContent = text;
    body.replaceChildren(...f.instances.map((i) => {
      const row = document.createElement("tr");
      const head = cell("th", i.id);
      head.scope = "row";
      const state = i.last_error ? i.follower + ": " + i.last_error : i.follower;
      row.append(head, ...[i.host, state, i.revision, i.in_flight, i.held, i.words || i.phase].map((text) => cell("td", text)));
      return row;
    }));
  };
  let revision;
  const look = async () => {
    if (document.hidden) return;
    try {
      const [status, instances] = await Promise.all([get("status"), get("fleet")]);
      fleet(instances);
      if (!status) return;
      // Somebody else has changed something: what is typed here stays, and the page says so.
      const headline = document.querySelector("[data-headline]");
      if (revision !== undefined && status.revision !== revision && headline && !document.querySelector("[data-again]")) {
        const again = document.createElement("p");
        again.dataset.again = "";
        again.setAttribute("role", "status");
        again.append("The state has changed. ");
        const link = cell("a", "Load the panel again");
        link.href = base;
        again.append(link);
        headline.after(again);
      }
      if (revision === undefined) revision = status.revision;
    } catch {
      // The next look tells.
    }
  };
  setInterval(look, 2000);
  look();
})();
