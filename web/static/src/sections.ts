/** Marks the section being read in the margin of a practice post. */
export function sections(): void {
	const links = new Map<string, HTMLAnchorElement>();
	for (const link of document.querySelectorAll<HTMLAnchorElement>(".section-nav a")) {
		links.set(link.hash.slice(1), link);
	}
	if (links.size === 0) {
		return;
	}
	const watcher = new IntersectionObserver(
		(entries) => {
			const entry = entries.find((e) => e.isIntersecting);
			const link = entry && links.get(entry.target.id);
			if (!link) {
				return;
			}
			links.forEach((l) => l.removeAttribute("aria-current"));
			link.setAttribute("aria-current", "location");
		},
		{ rootMargin: "0px 0px -65% 0px" },
	);
	for (const id of links.keys()) {
		const heading = document.getElementById(id);
		if (heading) {
			watcher.observe(heading);
		}
	}
}
