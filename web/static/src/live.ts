import { scroller } from "./page";
import { renew } from "./parts";
import { counted, tell, words } from "./words";

// /live sends rendered fragments: "post" brings a post (an element with the
// same id is replaced), "gone" names one that is to go, "unread" counts
// notifications, "part" brings pieces of the page anew. EventSource comes back by itself when the line breaks.

const waiting: HTMLElement[] = [];

export function listen(): void {
	const url = document.body.dataset["live"];
	if (!url) {
		return;
	}
	let source: EventSource | undefined;
	const open = (): void => {
		source = new EventSource(url);
		source.addEventListener("post", (e) => arrive((e as MessageEvent<string>).data));
		source.addEventListener("gone", (e) => document.getElementById(`post-${(e as MessageEvent<string>).data}`)?.remove());
		source.addEventListener("part", (e) => renew((e as MessageEvent<string>).data));
		source.addEventListener("unread", (e) => unread(Number((e as MessageEvent<string>).data)));
	};
	open();
	// A page that is kept for the way back must not hold its line open.
	addEventListener("pagehide", () => source?.close());
	addEventListener("pageshow", (e) => {
		if (e.persisted) {
			open();
		}
	});
	document.querySelector("[data-new-posts] button")?.addEventListener("click", () => {
		showWaiting();
		scroller().scrollTo({ top: 0 });
		document.querySelector<HTMLElement>("[data-live-list] article")?.focus({ preventScroll: true });
	});
	addEventListener("scroll", () => {
		if (atTop()) {
			showWaiting();
		}
	}, { capture: true, passive: true }); // an element's scrolling does not bubble
}

function arrive(html: string): void {
	const holder = document.createElement("template");
	holder.innerHTML = html;
	const item = holder.content.firstElementChild as HTMLElement | null;
	if (!item) {
		return;
	}
	const here = document.getElementById(item.id);
	if (here) {
		if (here.querySelector("form.composer")) {
			return; // somebody is writing in there
		}
		here.replaceWith(item);
		return;
	}
	const held = waiting.findIndex((w) => w.id === item.id);
	if (held >= 0) {
		waiting[held] = item;
		return;
	}
	const thread = document.querySelector<HTMLElement>("[data-live-thread]");
	if (thread) {
		answer(thread, item);
		announce(item);
		return;
	}
	waiting.unshift(item);
	if (atTop() && !document.activeElement?.closest("[data-live-list]")) {
		showWaiting();
		announce(item);
		return;
	}
	bar();
	tell(counted("newPosts", waiting.length));
}

/** Puts a reply after the post it answers and that one's answers. */
function answer(thread: HTMLElement, item: HTMLElement): void {
	let before = document.getElementById(`post-${item.dataset["parent"]}`);
	if (!before || before.parentElement !== thread) {
		thread.append(item);
	} else {
		const depth = Number(before.dataset["depth"]);
		while (before.nextElementSibling && Number((before.nextElementSibling as HTMLElement).dataset["depth"]) > depth) {
			before = before.nextElementSibling as HTMLElement;
		}
		before.after(item);
	}
	item.classList.add("fresh");
	emptied();
}

function showWaiting(): void {
	const list = document.querySelector("[data-live-list]");
	if (!list || waiting.length === 0) {
		return;
	}
	waiting.forEach((w) => w.classList.add("fresh"));
	list.prepend(...waiting.splice(0));
	emptied();
	bar();
}

function bar(): void {
	const box = document.querySelector<HTMLElement>("[data-new-posts]");
	const button = box?.querySelector("button");
	if (box && button) {
		box.hidden = waiting.length === 0;
		button.textContent = counted("newPosts", waiting.length);
	}
}

function emptied(): void {
	document.querySelectorAll("[data-empty]").forEach((e) => e.remove());
}

function announce(item: HTMLElement): void {
	const name = item.querySelector(".name, .sentence")?.textContent ?? "";
	tell(words("arrived", { name }));
}

function atTop(): boolean {
	return scroller().scrollTop < 120;
}

function unread(n: number): void {
	for (const badge of document.querySelectorAll<HTMLElement>("[data-unread]")) {
		badge.hidden = n === 0;
		const number = badge.querySelector("[data-n]");
		if (number) {
			number.textContent = new Intl.NumberFormat(document.documentElement.lang).format(n);
		}
	}
}
