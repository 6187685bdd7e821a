// What the wallet does beyond forms and links: countdowns run. Live parts are
// htmx's. Without this file everything still works.
"use strict";
(() => {
  setInterval(() => {
    document.querySelectorAll("[data-left]").forEach((n) => {
      const left = Math.max(0, Number(n.dataset.left) - 1);
      n.dataset.left = String(left);
      n.textContent = String(left);
    });
  }, 1000);
})();
