// The dialog that asks for a key, when the service wants one.
import { byId } from "./dom.ts";

/** Ask; an empty text means that the person went away from it. */
export function askKey(wrong: boolean): Promise<string> {
  const dialog = byId<HTMLDialogElement>("key-dialog");
  const input = byId<HTMLInputElement>("key-input");
  byId("key-wrong").hidden = !wrong;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "use" ? input.value.trim() : ""), { once: true });
  });
}
