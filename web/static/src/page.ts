/** What scrolls: the page above the bar on a phone, the document elsewhere. */
export function scroller(): Element {
	const page = document.querySelector(".page");
	return page && /auto|scroll/.test(getComputedStyle(page).overflowY) ? page : document.scrollingElement ?? document.documentElement;
}

/** Does for the page what browsers do for the document alone: it comes back to
 * where it was, and the keys that scroll work before anything has focus. */
export function keepPlace(): void {
	let later = 0;
	document.addEventListener("scroll", (event) => {
		if (event.target !== document && event.target === scroller()) {
			clearTimeout(later);
			later = setTimeout(() => history.replaceState({ ...history.state, top: scroller().scrollTop }, ""), 200);
		}
	}, { capture: true, passive: true });
	const visit = performance.getEntriesByType("navigation")[0] as PerformanceNavigationTiming | undefined;
	const top: unknown = history.state?.top;
	if (typeof top === "number" && (visit?.type === "reload" || visit?.type === "back_forward")) {
		scroller().scrollTo({ top, behavior: "instant" });
	}
	document.addEventListener("keydown", (event) => {
		const at = scroller();
		if (event.target !== document.body || at === document.scrollingElement || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) {
			return;
		}
		const screen = at.clientHeight * 0.9;
		const by: Record<string, number> = { ArrowDown: 40, ArrowUp: -40, PageDown: screen, PageUp: -screen, " ": event.shiftKey ? -screen : screen, End: at.scrollHeight, Home: -at.scrollHeight };
		const far = by[event.key];
		if (far !== undefined) {
			at.scrollBy({ top: far });
			event.preventDefault();
		}
	});
}
