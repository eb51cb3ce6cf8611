import { words } from "./words";

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
	["day", 86_400],
	["hour", 3_600],
	["minute", 60],
];

/** Keeps "5 minutes ago" true while a page stays open. Older than four weeks it is a date already. */
export function keepTimes(): void {
	const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });
	setInterval(() => {
		if (document.hidden) {
			return;
		}
		for (const time of document.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
			const age = (Date.now() - Date.parse(time.dateTime)) / 1000;
			if (age >= 28 * 86_400) {
				continue;
			}
			const step = steps.find(([, seconds]) => age >= seconds);
			time.textContent = step ? format.format(-Math.floor(age / step[1]), step[0]) : words("now");
		}
	}, 30_000);
}
