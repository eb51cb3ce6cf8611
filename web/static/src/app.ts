// Everything here is a convenience: each page and form works without it.
import { keepDrafts } from "./drafts";
import { shortcuts } from "./keys";
import { listen } from "./live";
import { menus } from "./menus";
import { keepPlace } from "./page";
import { pictures } from "./pictures";
import { inlineReplies } from "./reply";
import { sections } from "./sections";
import { keepTimes } from "./times";

document.documentElement.classList.add("script");
for (const start of [keepPlace, menus, keepTimes, keepDrafts, pictures, inlineReplies, sections, shortcuts, listen]) {
	start();
}
document.querySelector<HTMLElement>("[data-focus]")?.focus();
