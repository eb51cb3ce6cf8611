import { words } from "./words";

/** Shows chosen pictures at once, opens the next slot, and asks for their words before sending. */
export function pictures(root: ParentNode = document): void {
	for (const picker of root.querySelectorAll<HTMLElement>("[data-pictures]")) {
		picker.addEventListener("change", (event) => {
			const input = event.target as HTMLInputElement;
			const slot = input.closest<HTMLElement>("[data-slot]");
			if (!slot) {
				return;
			}
			if (input.type === "file") {
				preview(slot, input);
			}
			check(slot);
		});
		picker.addEventListener("input", (event) => {
			const slot = (event.target as Element).closest<HTMLElement>("[data-slot]");
			if (slot) {
				check(slot);
			}
		});
	}
}

function preview(slot: HTMLElement, input: HTMLInputElement): void {
	slot.querySelector("[data-preview]")?.remove();
	const file = input.files?.[0];
	if (!file) {
		return;
	}
	const box = document.createElement("div");
	box.dataset["preview"] = "";
	const img = document.createElement("img");
	img.alt = "";
	img.src = URL.createObjectURL(file);
	const remove = document.createElement("button");
	remove.type = "button";
	remove.className = "button plain";
	remove.textContent = words("pictureRemove");
	remove.addEventListener("click", () => {
		URL.revokeObjectURL(img.src);
		input.value = "";
		box.remove();
		check(slot);
		input.focus();
	});
	box.append(img, remove);
	input.after(box);
	const next = [...(slot.closest("[data-pictures]")?.querySelectorAll<HTMLDetailsElement>(".more-pictures") ?? [])].find((d) => !d.open);
	next?.classList.add("ready");
}

function check(slot: HTMLElement): void {
	const file = slot.querySelector<HTMLInputElement>('input[type="file"]');
	const alt = slot.querySelector<HTMLTextAreaElement>("textarea");
	const decorative = slot.querySelector<HTMLInputElement>('input[name^="decorative"]');
	const needed = !!file?.files?.length && !decorative?.checked && !alt?.value.trim();
	alt?.setCustomValidity(needed ? words("altMissing") : "");
}
