// Keys, live changes, and where the focus goes. Everything else is the server's.
"use strict";
(() => {
  const $ = (query) => document.querySelector(query);
  const BY_ITSELF = { "Irisdrop-By-Itself": "1" };

  // ------------------------------------------------------------------ keys
  const typing = (at) => at && (at.matches("input:not([type=radio]):not([type=checkbox]), textarea, select") || at.isContentEditable);
  const keysOn = () => { try { return localStorage.getItem("keys") !== "off"; } catch { return true; } };
  const press = (query) => { const found = $(query); if (found) found.click(); return Boolean(found); };

  const choose = (place) => {
    const radio = $(`#act input[data-place="${place}"]`);
    if (!radio) return false;
    radio.checked = true;
    radio.focus();
    return true;
  };

  const step = (query, by) => {
    const all = [...document.querySelectorAll(query)];
    const at = all.findIndex((one) => one.hasAttribute("aria-current"));
    const next = all[at + by];
    if (next) next.click();
    return Boolean(next);
  };

  const otherEye = () => {
    const all = ["R", "L"].map((eye) => $(`#eye-${eye}`)).filter(Boolean);
    if (!all.length) return false;
    const at = all.findIndex((one) => one.checked);
    all[(at + 1) % all.length].click();
    return true;
  };

  const enter = (at) => {
    if (at && at.id === "search") { takeFirst(); return true; }
    if (at && at.matches("a, button, summary")) return false;
    const sheet = $("#discard-sheet:not([hidden])");
    if (sheet) { if (sheet.contains(at)) press("#discard-now"); return true; } // never assigns what was about to be discarded
    return press("#despite") || press("#assign");
  };

  const opens = (button) => {
    const sheet = document.getElementById(button.dataset.opens);
    sheet.hidden = !sheet.hidden;
    button.setAttribute("aria-expanded", String(!sheet.hidden));
    if (!sheet.hidden) { sheet.scrollIntoView({ block: "nearest" }); sheet.querySelector("input:checked, input")?.focus(); }
  };

  const escape = (at) => {
    if (press("#cancel")) return true;
    const sheet = $(".sheet:not([hidden])[id]");
    if (sheet) { press(`[data-opens="${sheet.id}"]`); return true; }
    if (typing(at)) { at.blur(); return true; }
    return false;
  };

  const fold = (query) => { const found = $(query); if (found) found.open = !found.open; return Boolean(found); };

  const KEYS = {
    j: () => step("#list a.open", 1), k: () => step("#list a.open", -1),
    ArrowDown: () => step("#list a.open", 1), ArrowUp: () => step("#list a.open", -1),
    ArrowRight: () => step(".images .pick", 1), ArrowLeft: () => step(".images .pick", -1),
    e: otherEye, r: () => press("#release"), d: () => press("#discard"), u: () => press("#undo"),
    w: () => fold("#why"), "?": () => fold("details.keys"), x: () => press(".exam.chosen .mark"),
    "/": () => { const found = $("#search"); if (found) found.focus(); return Boolean(found); },
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !$("#bench")) return;
    const at = document.activeElement;
    // A key that is held down acts once; else it would agree to what it brought up, and go on to the next exam.
    if (event.repeat && (event.key === "Enter" || (!typing(at) && !/^(j|k|Arrow\w+|Tab| )$/i.test(event.key)))) { event.preventDefault(); return; }
    let done = false;
    if (event.key === "Escape") done = escape(at);
    else if (event.key === "Enter" && !(at && at.closest(".top"))) done = enter(at);
    else if (typing(at) || !keysOn()) return;
    else if (/^[1-9]$/.test(event.key)) done = choose(event.key);
    else if (event.key.startsWith("Arrow") && at && at.matches("input[type=radio], #list")) return;
    else if (Object.hasOwn(KEYS, event.key)) done = KEYS[event.key]();
    else if (Object.hasOwn(KEYS, event.key.toLowerCase()) && event.key.length === 1) done = KEYS[event.key.toLowerCase()]();
    if (done) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-opens]");
    if (button) opens(button);
    else if (event.target.closest("#other-eye")) otherEye();
    const menu = $("details.menu[open]");
    if (menu && !event.target.closest("details.menu")) menu.open = false;
  });

  document.addEventListener("change", (event) => {
    if (event.target.id !== "keys-on") return;
    try { localStorage.setItem("keys", event.target.checked ? "on" : "off"); } catch { /* then for this page alone */ }
  });

  // ------------------------------------------------------------------ after something was put in place
  let ticking = 0;
  let fading = 0;
  const countDown = () => {
    clearInterval(ticking);
    clearTimeout(fading);
    const toast = $("#toast:not([hidden])");
    if (toast && !toast.matches(".bad") && !$("#undo")) fading = setTimeout(() => { toast.hidden = true; }, 10000);
    const button = $("#undo[data-seconds]");
    if (!button) return;
    const until = Date.now() + 1000 * Number(button.dataset.seconds);
    const mark = document.createElement("span");
    button.append(" ", mark);
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      mark.textContent = left > 0 ? `${left} s` : "";
      if (left <= 0) { clearInterval(ticking); $("#toast").hidden = true; }
    };
    tick();
    ticking = setInterval(tick, 500);
  };

  const settle = () => {
    $("#list .exam.chosen")?.scrollIntoView({ block: "nearest" });
    const wanted = $("[data-focus]");
    if (wanted) wanted.focus();
    const keys = $("#keys-on");
    if (keys) keys.checked = keysOn();
    countDown();
  };
  let scrolled = 0;
  document.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.target.id === "bench") scrolled = $("#list")?.scrollTop ?? 0; });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "bench") return;
    const list = $("#list");
    if (list) list.scrollTop = scrolled;
    settle();
  });
  document.addEventListener("htmx:responseError", () => tell(document.body.dataset.failed));
  for (const name of ["sendError", "timeout"]) document.addEventListener(`htmx:${name}`, () => tell(document.body.dataset.lost));

  // ------------------------------------------------------------------ live
  const tell = (words) => { const lost = $("#lost"); lost.textContent = words; lost.hidden = !words; };
  const refresh = (where, target) => htmx.ajax("GET", where, { target, swap: "innerHTML", headers: BY_ITSELF });

  let scrolledAt = 0;
  document.addEventListener("scroll", () => { scrolledAt = Date.now(); }, true);

  const renew = () => {
    if (document.hidden || !$("#header")) return;
    refresh("/header", "#header");
    const live = $("[data-live]");
    if (live && !live.contains(document.activeElement)) refresh(live.dataset.live, `#${live.id}`);
    const list = $("#list");
    if (list && list.scrollTop < 200 && Date.now() - scrolledAt > 3000 && !list.contains(document.activeElement)) {
      refresh(`/quarantine/list?image=${list.dataset.image}&marked=${list.dataset.marked}`, "#list");
    }
  };
  let due = 0;
  const soon = () => { if (!due) due = setTimeout(() => { due = 0; renew(); }, 700); };

  // ------------------------------------------------------------------ one tab listens for all of them
  // A browser opens six connections to a server and a stream keeps one: of seven tabs that listen, none could act.
  const BLANK = 120000; // ms without a word from irisdrop until patients are hidden: nobody can end this session meanwhile
  let blank = 0;
  const hear = (what) => {
    if (!$("#header")) return;
    if (what === "changed") soon();
    if (what === "hello") {
      clearTimeout(blank);
      blank = 0;
      if ($("#content").hidden) { location.reload(); return; }
      if (!$("#lost").hidden) soon();
      tell("");
    }
    if (what === "lost") {
      tell(document.body.dataset.lost);
      if (!blank) blank = setTimeout(() => { $("#content").hidden = true; $("#header").hidden = true; }, BLANK);
    }
    if (what === "locked") refresh("/header", "#header"); // hidden or not: where this session ended, its answer leads to the locked page
  };
  const tabs = new BroadcastChannel("irisdrop");
  tabs.onmessage = (event) => hear(event.data);
  const share = (what) => { tabs.postMessage(what); hear(what); };

  const listen = () => {
    const events = new EventSource("/live");
    const again = () => { events.close(); setTimeout(listen, 2000); };
    events.addEventListener("hello", () => share("hello"));
    events.addEventListener("changed", () => share("changed"));
    events.addEventListener("locked", () => { share("locked"); again(); });
    // A refused stream is not tried again by the browser, and a page whose session ended must not go on showing patients.
    events.onerror = () => {
      share("lost");
      if (events.readyState !== EventSource.CLOSED) return;
      share("locked");
      again();
    };
    addEventListener("pagehide", () => events.close(), { once: true });
  };
  const inTurn = () => {
    if (!$("#header")) return; // the locked page
    if (navigator.locks) navigator.locks.request("irisdrop", () => new Promise(listen));
    else listen();
  };

  document.addEventListener("DOMContentLoaded", () => {
    settle();
    inTurn();
    document.addEventListener("visibilitychange", soon);
    setInterval(soon, 30000);
  });
})();
