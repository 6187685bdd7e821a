// What a terminal's screen does beyond forms and links: keys of a keypad press
// the buttons of the page, countdowns run, and the page is drawn anew when the
// terminal says that something has changed. Without it everything still works.
"use strict";
(() => {
  const one = (q, root) => (root || document).querySelector(q);
  const all = (q) => Array.from(document.querySelectorAll(q));
  document.documentElement.classList.add("scripted");

  // Money is typed in minor units, as on any till: 1, 12, 123 is 1.23.
  const show = (pad) => {
    const input = one("[data-digits]", pad), out = one("[data-amount]");
    if (!input || !out) return;
    const exp = Number(out.dataset.exponent), d = input.value.padStart(exp + 1, "0");
    const whole = d.slice(0, d.length - exp).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    out.textContent = exp ? whole + "." + d.slice(-exp) : whole;
    out.dataset.empty = String(input.value === "");
    all("[data-needs-amount]").forEach((b) => { b.disabled = input.value === ""; });
  };
  const press = (pad, key) => {
    const input = one("[data-digits], [data-pin]", pad);
    const most = Number(input.getAttribute("maxlength")) || 12;
    let v = input.value;
    if (key === "back") v = v.slice(0, -1);
    else if (key === "clear") v = "";
    else if ((v + key).length <= most) v += key;
    input.value = input.matches("[data-digits]") ? v.replace(/^0+/, "") : v;
    show(pad);
  };
  document.addEventListener("click", (e) => {
    const key = e.target.closest("[data-press]"), pad = key && key.closest("[data-pad]");
    if (!pad) return;
    e.preventDefault();
    press(pad, key.dataset.press);
  });

  const hit = (name) => {
    const b = one('[data-key="' + name + '"]');
    if (!b || b.disabled) return false;
    b.click();
    return true;
  };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey) return;
    const field = e.target.closest("input:not([type=hidden]):not([type=checkbox])");
    if (e.key === "Escape") { if (hit("cancel")) e.preventDefault(); return; }
    if (field) return; // it takes digits and Enter by itself
    const pad = one("[data-pad]");
    if (/^[0-9]$/.test(e.key)) {
      if (pad) press(pad, e.key); else if (!hit(e.key)) return;
      e.preventDefault();
    } else if (e.key === "Backspace" && pad) {
      press(pad, "back");
      e.preventDefault();
    } else if (e.key === "Enter" && !e.target.closest("a,button")) {
      if (hit("enter")) e.preventDefault();
    }
  });

  const clock = (s) => Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
  setInterval(() => {
    all("[data-left]").forEach((n) => {
      const left = Math.max(0, Number(n.dataset.left) - 1);
      n.dataset.left = left;
      if (n.tagName === "PROGRESS") n.value = left;
      else if (n.dataset.plain !== undefined) n.textContent = left;
      else n.textContent = clock(left);
    });
  }, 1000);

  const ready = () => {
    all("[data-pad]").forEach(show);
    const f = one("[data-focus]");
    if (f && document.activeElement !== f) f.focus({ preventScroll: true });
  };
  document.addEventListener("DOMContentLoaded", ready);
  document.addEventListener("htmx:after:swap", ready);

  // One stream tells that something has changed; #live says what it shows now.
  // An answer that was lost, or that was drawn before the newest change, is asked
  // for again: what the screen shows is compared with what was heard until both
  // are the same.
  let heard = "";
  const follow = () => {
    const live = one("#live");
    if (live && heard && live.dataset.view !== heard) live.dispatchEvent(new CustomEvent("changed", { bubbles: true }));
  };
  const listen = () => {
    const url = document.body.dataset.live;
    if (!url || !window.EventSource) return;
    const stream = new EventSource(url);
    stream.addEventListener("view", (e) => {
      heard = e.data;
      follow();
    });
    stream.addEventListener("boot", (e) => {
      if (document.body.dataset.boot && document.body.dataset.boot !== e.data) location.replace("/");
    });
    setInterval(follow, 1000);
  };
  document.addEventListener("DOMContentLoaded", listen);
})();
