// The form for a key: the service answers with a cookie that stands for it.

import { byId, send } from "./core.js";

byId("sign-in")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("key-problem").textContent = "";
  try {
    await send("sign-in", { method: "POST", json: { key: byId("key").value } });
  } catch (error) {
    byId("key-problem").textContent = error.message;
    byId("key").select();
    return;
  }
  location.assign(nextPage());
});

/** Return the page that was asked for, which must be one of ours. */
function nextPage() {
  const next = new URL(new URLSearchParams(location.search).get("next") || location.href, document.baseURI);
  const isOurs = next.origin === location.origin && !next.pathname.endsWith("/sign-in");
  return isOurs ? next.href : "./";
}
