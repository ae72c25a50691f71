"use strict";
// Answers may come late, and in another order than they were asked for. What a person sees when they act is what they
// act on: one question at a time changes the bench, the last one wins, and what is new there must have been seen.
(() => {
  const UNSEEN = 400; // ms in which nobody can have read what was put in place, so a second press meant what stood there before
  const bench = () => document.getElementById("bench");
  const shown = () => `${document.querySelector("#act")?.dataset.exam} ${Boolean(document.querySelector(".contradiction"))}`;

  let asked = null; // what the bench waits for: {xhr, act}
  let before = "";
  let unseen = 0;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { target, xhr, requestConfig } = event.detail;
    if (!target || target !== bench()) return;
    const act = requestConfig.path !== "/quarantine/look";
    const early = act && unseen && requestConfig.path !== "/quarantine/undo"; // undo names what it takes back
    if (early || (asked && (act || asked.act))) { event.preventDefault(); return; }
    asked?.xhr.abort();
    asked = { xhr, act };
    xhr.addEventListener("loadend", () => { if (asked?.xhr === xhr) asked = null; });
  });
  const look = () => {
    clearTimeout(unseen);
    bench().dataset.unseen = "";
    unseen = setTimeout(() => { unseen = 0; delete bench().dataset.unseen; }, UNSEEN);
  };

  // ------------------------------------------------------------------ what a person is in the middle of
  const FIELDS = ["search", "why-else"];
  let middle = null;
  const remember = () => {
    const at = document.activeElement;
    const sheet = document.querySelector("#discard-sheet:not([hidden])");
    middle = {
      exam: document.querySelector("#act")?.dataset.exam,
      why: sheet?.querySelector("input[name=why]:checked")?.value,
      fields: FIELDS.map((id) => document.getElementById(id)).filter(Boolean).map((one) => [one.id, one.value]),
      typing: FIELDS.includes(at?.id) ? [at.id, at.selectionStart, at.selectionEnd] : null,
    };
  };
  const goOn = () => {
    const { exam, why, fields, typing } = middle;
    const same = exam === document.querySelector("#act")?.dataset.exam;
    if (same && why) {
      document.querySelector("#discard")?.click();
      [...document.querySelectorAll("input[name=why]")].filter((one) => one.value === why).forEach((one) => { one.checked = true; });
    }
    for (const [id, value] of fields) if (same || typing?.[0] === id) fill(id, value);
    if (!typing) return;
    // Letters that go on coming must land in a field: beside it each of them is an act.
    const field = (same && document.getElementById(typing[0])) || document.getElementById("search");
    field?.focus();
    field?.setSelectionRange?.(typing[1], typing[2]);
  };
  const fill = (id, value) => {
    const field = document.getElementById(id);
    if (!field || !value || field.value === value) return;
    field.value = value;
    if (id === "search") htmx.trigger(field, "search");
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target !== bench()) return;
    before = shown();
    remember();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== bench()) return;
    if (before !== shown()) look();
    goOn();
  });

  // ------------------------------------------------------------------ the search: Enter takes the first that was found for what stands there
  const found = () => document.getElementById("found");
  let wanted = false;
  const take = () => {
    const search = document.getElementById("search");
    if (!wanted || !search || found().dataset.for !== search.value.trim()) return;
    wanted = false;
    const first = found().querySelector("input[type=radio]");
    if (first) { first.checked = true; first.focus(); }
  };
  document.addEventListener("input", (event) => { if (event.target.id === "search") wanted = false; });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr, requestConfig } = event.detail;
    if (target.id !== "found" || xhr.status !== 200) return;
    target.dataset.for = String(requestConfig.parameters.text ?? "").trim();
  });
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "found") take(); });
  window.takeFirst = () => { wanted = true; take(); };

  // ------------------------------------------------------------------ pages that come back
  // A page that the browser kept is shown as it was when it was left: its patients may be gone, or its session.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.body.hidden = true;
    location.reload();
  });
})();
