// The page brings its words along, in the reader's language.
const said: Record<string, string> = JSON.parse(document.body.dataset["words"] ?? "{}");

/** Says the words named key, with {name} filled in. */
export function words(key: string, args: Record<string, string> = {}): string {
	return (said[key] ?? key).replace(/\{(\w+)\}/g, (all, name: string) => args[name] ?? all);
}

/** Says key in the plural form for n; what has no form of its own is "other". */
export function counted(key: string, n: number): string {
	const form = new Intl.PluralRules(document.documentElement.lang).select(n);
	return words(`${key}.${form}` in said ? `${key}.${form}` : `${key}.other`, { n: String(n) });
}

/** Tells those who listen, without interrupting them. */
export function tell(message: string): void {
	const status = document.getElementById("live-status");
	if (status) {
		status.textContent = message;
	}
}
