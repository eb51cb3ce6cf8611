import { tell } from "./words";

// "part" brings pieces of the page as they are now. Each element that has an id
// here is made like the one that was sent, in place: what has not changed stays
// as it is, with the focus in it and what somebody has chosen there. An element
// with data-told says what to tell of it when that is new.

export function renew(html: string): void {
	const holder = document.createElement("template");
	holder.innerHTML = html;
	const before = told();
	const at = document.activeElement;
	const item = at?.closest("[data-told]")?.id;
	const part = at?.closest("section")?.id;
	for (const now of [...holder.content.children]) {
		const here = document.getElementById(now.id);
		if (here) {
			match(here, now);
		}
	}
	const news: string[] = [];
	for (const [id, words] of told()) {
		if (before.get(id) !== words) {
			news.push(words);
			document.getElementById(id)?.classList.add("fresh");
		}
	}
	if (at && at !== document.body && !at.isConnected) {
		keepFocus(item, part);
	}
	if (news.length > 0) {
		tell(news.join(" "));
	}
}

/** What had the focus is gone: it goes to where that item is now, or to where it was. */
function keepFocus(item: string | undefined, part: string | undefined): void {
	const to = (item && document.getElementById(item)) || (part && document.getElementById(part)) || document.getElementById("main");
	if (to) {
		to.tabIndex = -1;
		to.focus();
	}
}

function told(): Map<string, string> {
	return new Map([...document.querySelectorAll<HTMLElement>("[data-told]")].map((e) => [e.id, e.dataset["told"] ?? ""]));
}

/** Makes an element like another one. What a form would send in somebody's name
 * without showing it stays: they have agreed to what they saw, and the server
 * notices that it is another now. */
function match(here: Element, now: Element): void {
	if (here instanceof HTMLInputElement && here.type === "hidden") {
		return;
	}
	for (const { name, value } of [...now.attributes]) {
		if (here.getAttribute(name) !== value) {
			here.setAttribute(name, value);
		}
	}
	for (const { name } of [...here.attributes]) {
		if (!now.hasAttribute(name) && name !== "tabindex") { // by which it has the focus, perhaps
			here.removeAttribute(name);
		}
	}
	const wanted = new Set([...now.children].map((e) => e.id));
	for (const child of [...here.children]) {
		if (child.id && !wanted.has(child.id)) {
			child.remove(); // first, so that what stays need not be moved
		}
	}
	let next = here.firstChild;
	for (const want of [...now.childNodes]) {
		const have = alike(here, next, want);
		if (!have) {
			here.insertBefore(want, next);
			continue;
		}
		if (have === next) {
			next = next.nextSibling;
		} else {
			here.insertBefore(have, next);
		}
		if (have instanceof Element) {
			match(have, want as Element);
		} else if (have.nodeValue !== want.nodeValue) {
			have.nodeValue = want.nodeValue;
		}
	}
	while (next) {
		const rest = next.nextSibling;
		next.remove();
		next = rest;
	}
}

/** The node of here that is to become want: the one with its id, or else what stands at its place. */
function alike(here: Element, next: ChildNode | null, want: Node): ChildNode | null {
	if (want instanceof Element && want.id) {
		return [...here.children].find((e) => e.id === want.id && e.tagName === want.tagName) ?? null;
	}
	const same = next && next.nodeName === want.nodeName && !(next instanceof Element && next.id);
	return same ? next : null;
}
