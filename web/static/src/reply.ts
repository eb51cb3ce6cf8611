import { keepDraft } from "./drafts";
import { pictures } from "./pictures";
import { tell, words } from "./words";

/** Opens the reply form below the post that is answered, in place of another page. */
export function inlineReplies(): void {
	document.addEventListener("click", async (event) => {
		const link = (event.target as Element).closest<HTMLAnchorElement>('a[data-key="r"]');
		const post = link?.closest<HTMLElement>("[data-post]");
		if (!link || !post || event.ctrlKey || event.metaKey || event.shiftKey) {
			return;
		}
		const here = document.getElementById("composer");
		if (here && link.pathname === location.pathname && link.search === location.search) {
			return; // the form is on this page already; the link leads to it
		}
		event.preventDefault();
		const open = post.querySelector<HTMLFormElement>("form.composer.inline");
		if (open) {
			open.querySelector("textarea")?.focus();
			return;
		}
		try {
			const form = await replyForm(link.href);
			close();
			form.classList.add("inline");
			form.removeAttribute("id");
			form.querySelector<HTMLAnchorElement>("[data-cancel]")?.remove();
			const cancel = document.createElement("button");
			cancel.type = "button";
			cancel.className = "button plain";
			cancel.textContent = words("replyCancel");
			cancel.addEventListener("click", () => {
				close();
				link.focus();
			});
			form.querySelector(".send")?.append(cancel);
			post.append(form);
			keepDraft(form);
			pictures(form);
			form.querySelector("textarea")?.focus();
		} catch {
			tell(words("replyFailed"));
			location.href = link.href;
		}
	});
}

function close(): void {
	document.querySelectorAll("form.composer.inline").forEach((f) => f.remove());
}

async function replyForm(url: string): Promise<HTMLFormElement> {
	const answer = await fetch(url, { headers: { Accept: "text/html" } });
	const page = new DOMParser().parseFromString(await answer.text(), "text/html");
	const form = page.querySelector<HTMLFormElement>("form.composer-reply");
	if (!answer.ok || !form) {
		throw new Error(`no reply form at ${url}`);
	}
	return document.importNode(form, true);
}
