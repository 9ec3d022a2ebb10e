// The open study and case in the page's address, so that reloading and going back lead to where one was.
import { now, on } from "./store.ts";

/** Keep the address true, and open what it names: now, and when one goes back or on. */
export function keepAddress(open: (study: string, caseId: string | null) => void, close: () => void): void {
  const here = (): [string | null, string | null] => {
    const found = new URLSearchParams(location.hash.slice(1));
    return [found.get("study"), found.get("case")];
  };
  const follow = () => {
    const [study, caseId] = here();
    if (study) open(study, caseId);
    else close();
  };
  addEventListener("popstate", follow);
  if (here()[0]) follow();
  on(["study", "caseId"], () => {
    const { study, caseId } = now();
    const [before, beforeCase] = here();
    if ((study?.study ?? null) === before && (caseId === beforeCase || !study)) return;
    const hash = study ? `#${new URLSearchParams({ study: study.study, ...(caseId ? { case: caseId } : {}) })}` : location.pathname;
    // the first one takes the place of the empty page; one of the same study is no step of its own
    if (before === study?.study || !study) history.replaceState(null, "", hash);
    else history.pushState(null, "", hash);
  });
}
