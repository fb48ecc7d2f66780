// The page of one alarm.

import { press, show } from "./alarm.js";
import { byId, onKeys } from "./core.js";

const record_id = location.pathname.split("/").filter(Boolean).at(-1);
const row = Number(new URLSearchParams(location.search).get("row") ?? 0);

show(byId("detail"), { record_id, row });
onKeys({ y: () => press("true"), n: () => press("false"), u: () => press("unsure"), z: () => press("undo") });
