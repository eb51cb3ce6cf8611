/** Menus are details elements; this closes them on Escape and on a click elsewhere. */
export function menus(): void {
	document.addEventListener("click", (event) => {
		for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
			if (!menu.contains(event.target as Node)) {
				menu.open = false;
			}
		}
	});
	document.addEventListener("keydown", (event) => {
		const menu = (event.target as Element).closest<HTMLDetailsElement>("details.menu[open]");
		if (event.key === "Escape" && menu) {
			menu.open = false;
			menu.querySelector("summary")?.focus();
		}
	});
}
