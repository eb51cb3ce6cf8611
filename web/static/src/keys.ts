import { words } from "./words";

// Letters act alone, so they can be turned off (WCAG 2.2, 2.1.4) and never act
// while somebody types or holds a modifier.

const off = "chalkring shortcuts off";
const places: Record<string, string> = { h: "/home", p: "/practice", s: "/school", c: "/connected", n: "/notifications" };

export function shortcuts(): void {
	const sheet = document.getElementById("shortcuts") as HTMLDialogElement | null;
	if (!sheet) {
		return;
	}
	const toggle = sheet.querySelector<HTMLButtonElement>("[data-toggle-shortcuts]");
	const isOff = (): boolean => localStorage.getItem(off) !== null;
	const label = (): void => {
		if (toggle) {
			toggle.textContent = words(isOff() ? "shortcutsOn" : "shortcutsOff");
		}
	};
	label();
	toggle?.addEventListener("click", () => {
		isOff() ? localStorage.removeItem(off) : localStorage.setItem(off, "1");
		label();
	});
	document.querySelectorAll("[data-open-shortcuts]").forEach((b) => b.addEventListener("click", () => sheet.showModal()));

	let leader = 0;
	document.addEventListener("keydown", (event) => {
		const at = event.target as HTMLElement;
		if (isOff() || event.ctrlKey || event.metaKey || event.altKey || sheet.open || at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) {
			return;
		}
		const afterG = Date.now() - leader < 1500;
		leader = 0;
		const place = places[event.key];
		if (afterG && place) {
			location.href = place;
			return;
		}
		switch (event.key) {
			case "g":
				leader = Date.now();
				return;
			case "?":
				sheet.showModal();
				break;
			case "j":
			case "k":
				step(event.key === "j" ? 1 : -1);
				break;
			case "o":
				current()?.querySelector<HTMLAnchorElement>("h2 a, .post-when a")?.click();
				break;
			case "r":
				(current() ?? document).querySelector<HTMLElement>('[data-key="r"]')?.click();
				break;
			case "n":
				location.href = "/write";
				break;
			case "/":
				location.href = "/search";
				break;
			case ".":
				document.querySelector<HTMLElement>("[data-new-posts] button")?.click();
				break;
			default:
				return;
		}
		event.preventDefault();
	});
}

function current(): HTMLElement | null {
	return document.activeElement?.closest<HTMLElement>("article[data-post]") ?? null;
}

function step(by: number): void {
	const posts = [...document.querySelectorAll<HTMLElement>("article[data-post]")];
	const now = current();
	const next = now ? posts.indexOf(now) + by : posts.findIndex((p) => p.getBoundingClientRect().bottom > 0);
	posts[Math.max(0, Math.min(next, posts.length - 1))]?.focus();
}
