// Presses the page's one button, or follows its one link, once everything on the page (the frames of other applications
// too) has loaded or had its time. Without this script the person does it.
(() => {
  "use strict";
  let done = false;
  const go = () => {
    const target = document.getElementById("continue");
    if (done || !target) return;
    done = true;
    if (target instanceof HTMLFormElement) target.submit();
    else window.location.replace(target.href);
  };
  window.addEventListener("load", go);
  window.setTimeout(go, 4000);
})();
