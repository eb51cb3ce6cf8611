/** Menus are details elements; this closes them on Escape, on a click elsewhere,
 * and when the focus goes on, so that they lie over nothing that has it (WCAG 2.2, 2.4.11). */
export function menus(): void {
	const elsewhere = (event: Event): void => {
		for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
			if (!menu.contains(event.target as Node)) {
				menu.open = false;
			}
		}
	};
	document.addEventListener("click", elsewhere);
	document.addEventListener("focusin", elsewhere);
	document.addEventListener("keydown", (event) => {
		const menu = (event.target as Element).closest<HTMLDetailsElement>("details.menu[open]");
		if (event.key === "Escape" && menu) {
			menu.open = false;
			menu.querySelector("summary")?.focus();
		}
	});
}
