import { words } from "./words";

// A draft is kept on this device only, under the person's handle, and goes when
// it was sent, discarded, or its author signs out: school computers are shared.

interface Draft {
	fields: Record<string, string>;
	sent: boolean;
}

const prefix = "chalkring draft ";
const me = document.body.dataset["me"] ?? "";
const skipped = new Set(["kind", "form", "do"]);

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

function fieldsOf(form: HTMLFormElement): Field[] {
	return [...form.elements].filter((e): e is Field =>
		(e instanceof HTMLTextAreaElement || e instanceof HTMLSelectElement || (e instanceof HTMLInputElement && !["file", "hidden", "submit"].includes(e.type))) && e.name !== "" && !skipped.has(e.name),
	);
}

function isSwitch(f: Field): f is HTMLInputElement {
	return f instanceof HTMLInputElement && (f.type === "radio" || f.type === "checkbox");
}

function read(form: HTMLFormElement): Record<string, string> {
	const fields: Record<string, string> = {};
	for (const f of fieldsOf(form)) {
		if (isSwitch(f)) {
			if (f.checked) {
				fields[f.name] = f.value;
			}
		} else if (f.value) {
			fields[f.name] = f.value;
		}
	}
	return fields;
}

function hasWords(form: HTMLFormElement): boolean {
	return fieldsOf(form).some((f) => (f instanceof HTMLTextAreaElement || (f instanceof HTMLInputElement && f.type === "text")) && f.value.trim() !== "");
}

function put(form: HTMLFormElement, fields: Record<string, string>): void {
	for (const f of fieldsOf(form)) {
		const value = fields[f.name];
		if (isSwitch(f)) {
			f.checked = value === undefined ? f.checked && f.type !== "radio" : value === f.value;
		} else if (value !== undefined) {
			f.value = value;
		}
	}
}

function load(key: string): Draft | undefined {
	try {
		return JSON.parse(localStorage.getItem(key) ?? "null") ?? undefined;
	} catch {
		return undefined;
	}
}

function save(key: string, draft: Draft): void {
	try {
		localStorage.setItem(key, JSON.stringify(draft));
	} catch {
		// The browser keeps nothing, or is full; the form still works.
	}
}

function drafts(): string[] {
	return Object.keys(localStorage).filter((k) => k.startsWith(prefix));
}

/** Keeps what is typed in one form. Forms that arrive later are given to it too. */
export function keepDraft(form: HTMLFormElement): void {
	const key = `${prefix}${me} ${form.dataset["draft"]}`;
	const note = form.querySelector<HTMLElement>("[data-draft-note]");
	const draft = load(key);
	if (draft && !hasWords(form)) {
		put(form, draft.fields);
		if (note) {
			const again = document.createElement("button");
			again.type = "button";
			again.className = "button plain";
			again.textContent = words("draftDiscard");
			again.addEventListener("click", () => {
				localStorage.removeItem(key);
				form.reset();
				note.hidden = true;
			});
			note.replaceChildren(words("draftBack"), again);
			note.hidden = false;
		}
	}
	let timer = 0;
	form.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(() => {
			if (hasWords(form)) {
				save(key, { fields: read(form), sent: false });
				form.querySelector(".send")?.setAttribute("data-kept", words("draftKept"));
			} else {
				localStorage.removeItem(key);
			}
		}, 400);
	});
	form.addEventListener("submit", (event) => {
		clearTimeout(timer);
		const preview = (event.submitter as HTMLButtonElement | null)?.value === "preview";
		save(key, { fields: read(form), sent: !preview });
	});
}

export function keepDrafts(): void {
	if (!me) {
		return;
	}
	const here = [...document.querySelectorAll<HTMLFormElement>("form[data-draft]")];
	const keys = new Set(here.map((f) => `${prefix}${me} ${f.dataset["draft"]}`));
	for (const key of drafts()) {
		// A form that was sent and did not come back with errors has arrived.
		if (load(key)?.sent && !(keys.has(key) && document.querySelector("form[data-errors]"))) {
			localStorage.removeItem(key);
		}
	}
	here.forEach(keepDraft);
	document.querySelectorAll("[data-sign-out]").forEach((form) => form.addEventListener("submit", () => drafts().forEach((k) => localStorage.removeItem(k))));
}
