-- +goose Up
-- What an administrator decided about a server: one row a peer, with its whole
-- policy. inbound and outbound are sets of kinds of messages, rights a set of
-- what groups let it do, each a sum of bits.
CREATE TABLE peers_kept AS SELECT host, id, standing, label, note, reason, ceiling, changed_by, created_at, changed_at FROM peers;
DROP TABLE peers;
CREATE TABLE peers (
	host        TEXT      NOT NULL PRIMARY KEY,
	id          BIGINT    NOT NULL,
	standing    TEXT      NOT NULL CHECK (standing IN ('allowed', 'paused', 'retired', 'expired', 'blocked')),
	subtree     BOOLEAN   NOT NULL DEFAULT FALSE,
	label       TEXT      NOT NULL DEFAULT '',
	kind        TEXT      NOT NULL DEFAULT '',
	public_note TEXT      NOT NULL DEFAULT '',
	note        TEXT      NOT NULL DEFAULT '',
	reason      TEXT      NOT NULL DEFAULT '',
	source      TEXT      NOT NULL DEFAULT '',
	preset      TEXT      NOT NULL DEFAULT '',
	ceiling     TEXT      NOT NULL DEFAULT 'network' CHECK (ceiling IN ('none', 'public', 'network', 'group')),
	inbound     BIGINT    NOT NULL DEFAULT 511,
	outbound    BIGINT    NOT NULL DEFAULT 511,
	hold        TEXT      NOT NULL DEFAULT 'none' CHECK (hold IN ('none', 'first', 'media', 'links', 'all')),
	silenced    BOOLEAN   NOT NULL DEFAULT FALSE,
	media       TEXT      NOT NULL DEFAULT 'proxy' CHECK (media IN ('proxy', 'click', 'strip', 'hold')),
	rights      BIGINT    NOT NULL DEFAULT 3,
	reports_in  TEXT      NOT NULL DEFAULT 'accept' CHECK (reports_in IN ('accept', 'apart', 'refuse')),
	reports_out TEXT      NOT NULL DEFAULT 'click' CHECK (reports_out IN ('click', 'never')),
	search      TEXT      NOT NULL DEFAULT 'members' CHECK (search IN ('members', 'followers', 'nobody')),
	retention   BIGINT    NOT NULL DEFAULT 0,
	per_minute  BIGINT    NOT NULL DEFAULT 0,
	per_day     BIGINT    NOT NULL DEFAULT 0,
	max_bytes   BIGINT    NOT NULL DEFAULT 0,
	backfill    BIGINT    NOT NULL DEFAULT 0,
	their_view  TEXT      NOT NULL DEFAULT 'unknown' CHECK (their_view IN ('unknown', 'pending', 'allowed', 'refused')),
	their_hint  TEXT      NOT NULL DEFAULT '',
	key_hash    TEXT      NOT NULL DEFAULT '',
	review_on   TIMESTAMP(3),
	expires_at  TIMESTAMP(3),
	ended_at    TIMESTAMP(3),
	purge_at    TIMESTAMP(3),
	changed_by  BIGINT    REFERENCES accounts (id),
	created_at  TIMESTAMP(3) NOT NULL,
	changed_at  TIMESTAMP(3) NOT NULL
);
INSERT INTO peers (host, id, standing, label, note, reason, ceiling, changed_by, created_at, changed_at)
	SELECT host, id, standing, label, note, reason, ceiling, changed_by, created_at, changed_at FROM peers_kept;
DROP TABLE peers_kept;
CREATE UNIQUE INDEX peers_id ON peers (id);
CREATE INDEX peers_standing ON peers (standing, host);
CREATE INDEX peers_standing_id ON peers (standing, id);
CREATE INDEX peers_expires ON peers (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX peers_review ON peers (review_on) WHERE review_on IS NOT NULL;
CREATE INDEX peers_purge ON peers (purge_at) WHERE purge_at IS NOT NULL;

-- The names under which a peer is met: its own (main), and those of its actors,
-- its handles, its media, and of what it was called before. One that nobody has
-- confirmed is only proposed and has no effect.
CREATE TABLE peer_hosts (
	host         TEXT      NOT NULL,
	peer_id      BIGINT    NOT NULL REFERENCES peers (id) ON DELETE CASCADE,
	role         TEXT      NOT NULL CHECK (role IN ('main', 'actor', 'handle', 'media', 'former')),
	seen_at      TIMESTAMP(3) NOT NULL,
	confirmed_at TIMESTAMP(3),
	PRIMARY KEY (host, peer_id)
);
CREATE INDEX peer_hosts_peer ON peer_hosts (peer_id);
INSERT INTO peer_hosts (host, peer_id, role, seen_at, confirmed_at) SELECT host, id, 'main', created_at, created_at FROM peers;

-- How a connection ended: until when what is left of it is kept, and which of
-- this server's posts the other side is asked to delete.
ALTER TABLE peers ADD COLUMN keep_until TIMESTAMP(3);
ALTER TABLE peers ADD COLUMN withdraw BIGINT NOT NULL DEFAULT 0;
CREATE INDEX peers_keep ON peers (keep_until) WHERE keep_until IS NOT NULL;

ALTER TABLE chores DROP CONSTRAINT chores_kind_check;
ALTER TABLE chores ADD CONSTRAINT chores_kind_check CHECK (kind IN ('erase', 'move', 'sever', 'restore', 'withdraw', 'drop', 'import'));
ALTER TABLE chores ADD COLUMN done BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chores ADD COLUMN total BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chores ADD COLUMN at_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chores ADD COLUMN at_post BIGINT NOT NULL DEFAULT 0;
CREATE INDEX chores_subject ON chores (subject, kind) WHERE subject <> '';

-- Ties with people of a server that is not connected any more, put aside so
-- that they can be taken up again. host is the person's, peer the entry by
-- which it ended; extra is JSON: what else belonged to the tie.
CREATE TABLE severed_ties (
	id          BIGINT    NOT NULL PRIMARY KEY,
	peer        TEXT      NOT NULL,
	host        TEXT      NOT NULL,
	local_id    BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	remote_id   BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	kind        TEXT      NOT NULL CHECK (kind IN ('follow', 'follower', 'group_member', 'moderator', 'rsvp')),
	state       TEXT      NOT NULL DEFAULT '',
	uri         TEXT      NOT NULL DEFAULT '',
	extra       TEXT      NOT NULL DEFAULT '',
	severed_at  TIMESTAMP(3) NOT NULL,
	restored_at TIMESTAMP(3)
);
CREATE INDEX severed_ties_peer ON severed_ties (peer, id);
CREATE INDEX severed_ties_local ON severed_ties (local_id, peer, id);
CREATE INDEX severed_ties_remote ON severed_ties (remote_id);

-- What is left of them after a purge.
CREATE TABLE severed_counts (
	peer       TEXT      NOT NULL,
	kind       TEXT      NOT NULL,
	ties       BIGINT    NOT NULL,
	counted_at TIMESTAMP(3) NOT NULL,
	PRIMARY KEY (peer, kind)
);
ALTER TABLE severed ADD COLUMN act TEXT NOT NULL DEFAULT 'block' CHECK (act IN ('block', 'retire'));

-- The log as a chain: each line's hash is over the one before and what the line
-- says. Lines of before are chained when the server first starts with this.
CREATE TABLE audit_chain (
	seq     BIGINT    NOT NULL PRIMARY KEY,
	line_id BIGINT    NOT NULL REFERENCES audit (id),
	hash    TEXT      NOT NULL
);
CREATE UNIQUE INDEX audit_chain_line ON audit_chain (line_id);
-- +goose StatementBegin
CREATE FUNCTION audit_only_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the log is only added to'; END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added();
CREATE TRIGGER audit_chain_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added();

-- What is read again and again is kept in memory with its version, which every
-- change of the row moves on, and used while the row still has that version. The
-- figures of a post are not among what is kept.
ALTER TABLE posts ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE oauth_tokens ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE oauth_apps ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN bonds BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE FUNCTION next_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$;
-- +goose StatementEnd
CREATE TRIGGER posts_version BEFORE UPDATE OF id, author_id, author_host, uri, url, kind, audience, unlisted, listed, group_id, title, teaser, warning, sensitive, source, sections, html,
	language, subject, level, licence, contributors, thread_id, in_reply_to_id, in_reply_to_uri, in_reply_to_author, boost_of_id, accepted_answer_id, context_uri,
	quote_id, quote_uri, quote_state, quote_authorization, quotable, quote_policy, replies_uri, extra, media_count, app_id, created_at, edited_at, deleted_at ON posts FOR EACH ROW EXECUTE FUNCTION next_version();
CREATE TRIGGER accounts_version BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION next_version();
CREATE TRIGGER users_version BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION next_version();
CREATE TRIGGER oauth_tokens_version BEFORE UPDATE ON oauth_tokens FOR EACH ROW EXECUTE FUNCTION next_version();
CREATE TRIGGER oauth_apps_version BEFORE UPDATE ON oauth_apps FOR EACH ROW EXECUTE FUNCTION next_version();
-- Which bonds somebody here ever had, as a sum of bits: 1 muted somebody, 2 blocked
-- or was blocked, 4 shut a server out, 8 bookmarked, 16 muted a thread, 32 made a
-- filter. What was never is not looked for.
-- +goose StatementBegin
CREATE FUNCTION note_bond() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE users SET bonds = bonds | TG_ARGV[0]::BIGINT WHERE account_id = NEW.account_id AND bonds & TG_ARGV[0]::BIGINT = 0;
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION note_blocked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE users SET bonds = bonds | 2 WHERE account_id IN (NEW.account_id, NEW.target_id) AND bonds & 2 = 0;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER mutes_bond AFTER INSERT OR UPDATE OF account_id ON mutes FOR EACH ROW EXECUTE FUNCTION note_bond(1);
CREATE TRIGGER blocks_bond AFTER INSERT OR UPDATE OF account_id, target_id ON blocks FOR EACH ROW EXECUTE FUNCTION note_blocked();
CREATE TRIGGER host_blocks_bond AFTER INSERT OR UPDATE OF account_id ON host_blocks FOR EACH ROW EXECUTE FUNCTION note_bond(4);
CREATE TRIGGER bookmarks_bond AFTER INSERT OR UPDATE OF account_id ON bookmarks FOR EACH ROW EXECUTE FUNCTION note_bond(8);
CREATE TRIGGER thread_mutes_bond AFTER INSERT OR UPDATE OF account_id ON thread_mutes FOR EACH ROW EXECUTE FUNCTION note_bond(16);
CREATE TRIGGER filters_bond AFTER INSERT OR UPDATE OF account_id ON filters FOR EACH ROW EXECUTE FUNCTION note_bond(32);
UPDATE users SET bonds = bonds | 1 WHERE bonds & 1 = 0 AND EXISTS (SELECT 1 FROM mutes WHERE mutes.account_id = users.account_id);
UPDATE users SET bonds = bonds | 2 WHERE bonds & 2 = 0 AND EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = users.account_id);
UPDATE users SET bonds = bonds | 2 WHERE bonds & 2 = 0 AND EXISTS (SELECT 1 FROM blocks WHERE blocks.target_id = users.account_id);
UPDATE users SET bonds = bonds | 4 WHERE bonds & 4 = 0 AND EXISTS (SELECT 1 FROM host_blocks WHERE host_blocks.account_id = users.account_id);
UPDATE users SET bonds = bonds | 8 WHERE bonds & 8 = 0 AND EXISTS (SELECT 1 FROM bookmarks WHERE bookmarks.account_id = users.account_id);
UPDATE users SET bonds = bonds | 16 WHERE bonds & 16 = 0 AND EXISTS (SELECT 1 FROM thread_mutes WHERE thread_mutes.account_id = users.account_id);
UPDATE users SET bonds = bonds | 32 WHERE bonds & 32 = 0 AND EXISTS (SELECT 1 FROM filters WHERE filters.account_id = users.account_id);

-- Lists of servers that this one publishes for others: what they are called,
-- who may read them, and by which marks peers are on them. A changed list has a
-- new version; told is the version that its readers were told of.
CREATE TABLE published_lists (
	id           BIGINT  NOT NULL PRIMARY KEY,
	path         TEXT      NOT NULL UNIQUE,
	name         TEXT      NOT NULL,
	about        TEXT      NOT NULL DEFAULT '',
	visibility   TEXT      NOT NULL DEFAULT 'peers' CHECK (visibility IN ('peers', 'public', 'link')),
	secret       TEXT      NOT NULL DEFAULT '',
	formats      BIGINT    NOT NULL DEFAULT 0,
	by_presets   TEXT      NOT NULL DEFAULT '',
	by_kinds     TEXT      NOT NULL DEFAULT '',
	version      BIGINT    NOT NULL DEFAULT 1,
	told         BIGINT    NOT NULL DEFAULT 0,
	body_version BIGINT    NOT NULL DEFAULT 0,
	body         BYTEA,
	live         BOOLEAN   NOT NULL DEFAULT FALSE,
	updated_at   TIMESTAMP(3) NOT NULL,
	created_at   TIMESTAMP(3) NOT NULL
);
CREATE TABLE published_entries (
	list_id       BIGINT    NOT NULL REFERENCES published_lists (id) ON DELETE CASCADE,
	host          TEXT      NOT NULL,
	label         TEXT      NOT NULL DEFAULT '',
	tier          TEXT      NOT NULL DEFAULT '',
	subtree       BOOLEAN   NOT NULL DEFAULT FALSE,
	note          TEXT      NOT NULL DEFAULT '',
	by_rule       BOOLEAN   NOT NULL DEFAULT FALSE,
	added_at      TIMESTAMP(3) NOT NULL,
	expires_at    TIMESTAMP(3),
	paused_at     TIMESTAMP(3),
	pause_reason  TEXT      NOT NULL DEFAULT '',
	retracted_at  TIMESTAMP(3),
	retract_reason TEXT     NOT NULL DEFAULT '',
	PRIMARY KEY (list_id, host)
);
CREATE INDEX published_entries_expires ON published_entries (expires_at) WHERE expires_at IS NOT NULL AND retracted_at IS NULL;
-- The servers that read a list, which are told of its changes.
CREATE TABLE published_readers (
	list_id BIGINT    NOT NULL REFERENCES published_lists (id) ON DELETE CASCADE,
	host    TEXT      NOT NULL,
	read_at TIMESTAMP(3) NOT NULL,
	PRIMARY KEY (list_id, host)
);

-- Lists of others that this server follows, with the key that must have signed
-- them; new_key is one that waits for a person to compare it.
CREATE TABLE list_subs (
	id           BIGINT  NOT NULL PRIMARY KEY,
	url          TEXT      NOT NULL,
	host         TEXT      NOT NULL,
	name         TEXT      NOT NULL DEFAULT '',
	about        TEXT      NOT NULL DEFAULT '',
	format       TEXT      NOT NULL DEFAULT '',
	publisher    TEXT      NOT NULL DEFAULT '',
	key_pem      TEXT      NOT NULL DEFAULT '',
	new_key_pem  TEXT      NOT NULL DEFAULT '',
	pin          TEXT      NOT NULL DEFAULT '',
	state        TEXT      NOT NULL CHECK (state IN ('asked', 'confirm', 'active', 'stopped', 'ended')),
	why          TEXT      NOT NULL DEFAULT '',
	auto_accept  BOOLEAN   NOT NULL DEFAULT FALSE,
	auto_resume  BOOLEAN   NOT NULL DEFAULT FALSE,
	adopt        BOOLEAN   NOT NULL DEFAULT FALSE,
	tier_cap     TEXT      NOT NULL DEFAULT 'network' CHECK (tier_cap IN ('listen', 'trial', 'friendly', 'network')),
	quorum_group TEXT      NOT NULL DEFAULT '',
	quorum       BIGINT    NOT NULL DEFAULT 0,
	priority     BIGINT    NOT NULL DEFAULT 0,
	on_retract   TEXT      NOT NULL DEFAULT 'review' CHECK (on_retract IN ('review', 'remove', 'ignore')),
	etag         TEXT      NOT NULL DEFAULT '',
	modified     TEXT      NOT NULL DEFAULT '',
	listed_at    TIMESTAMP(3),
	held_digest  TEXT      NOT NULL DEFAULT '',
	let_digest   TEXT      NOT NULL DEFAULT '',
	let_at       TIMESTAMP(3),
	held_changed BIGINT    NOT NULL DEFAULT 0,
	held_gone    BIGINT    NOT NULL DEFAULT 0,
	entries      BIGINT    NOT NULL DEFAULT 0,
	todo         BIGINT    NOT NULL DEFAULT 0,
	done         BIGINT    NOT NULL DEFAULT 0,
	failures     BIGINT    NOT NULL DEFAULT 0,
	error        TEXT      NOT NULL DEFAULT '',
	next_at      TIMESTAMP(3),
	tried_at     TIMESTAMP(3),
	ok_at        TIMESTAMP(3),
	created_by   BIGINT    REFERENCES accounts (id),
	created_at   TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX list_subs_url ON list_subs (url) WHERE state <> 'ended';
CREATE INDEX list_subs_due ON list_subs (next_at) WHERE next_at IS NOT NULL;
-- What such a list says of each server.
CREATE TABLE list_sub_entries (
	sub_id       BIGINT    NOT NULL REFERENCES list_subs (id) ON DELETE CASCADE,
	host         TEXT      NOT NULL,
	label        TEXT      NOT NULL DEFAULT '',
	tier         TEXT      NOT NULL DEFAULT '',
	subtree      BOOLEAN   NOT NULL DEFAULT FALSE,
	deny         BOOLEAN   NOT NULL DEFAULT FALSE,
	note         TEXT      NOT NULL DEFAULT '',
	expires_at   TIMESTAMP(3),
	paused_at    TIMESTAMP(3),
	pause_reason TEXT      NOT NULL DEFAULT '',
	pause_taken  TIMESTAMP(3),
	paused_peer  TIMESTAMP(3),
	gone_at      TIMESTAMP(3),
	seen_at      TIMESTAMP(3) NOT NULL,
	PRIMARY KEY (sub_id, host)
);
CREATE INDEX list_sub_entries_host ON list_sub_entries (host);
-- What follows from lists: proposed, decided, done and undone.
CREATE TABLE list_drafts (
	id         BIGINT  NOT NULL PRIMARY KEY,
	sub_id     BIGINT    NOT NULL REFERENCES list_subs (id),
	host       TEXT      NOT NULL,
	what       TEXT      NOT NULL CHECK (what IN ('allow', 'change', 'block', 'remove', 'pause', 'resume')),
	state      TEXT      NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepting', 'accepted', 'rejected', 'failed', 'undone')),
	label      TEXT      NOT NULL DEFAULT '',
	tier       TEXT      NOT NULL DEFAULT '',
	subtree    BOOLEAN   NOT NULL DEFAULT FALSE,
	note       TEXT      NOT NULL DEFAULT '',
	reason     TEXT      NOT NULL DEFAULT '',
	expires_at TIMESTAMP(3),
	before     TEXT      NOT NULL DEFAULT '',
	applied_at TIMESTAMP(3),
	by_itself  BOOLEAN   NOT NULL DEFAULT FALSE,
	error      TEXT      NOT NULL DEFAULT '',
	decided_by BIGINT    REFERENCES accounts (id),
	decided_at TIMESTAMP(3),
	created_at TIMESTAMP(3) NOT NULL
);
CREATE INDEX list_drafts_state ON list_drafts (state, id);
CREATE INDEX list_drafts_sub ON list_drafts (sub_id, state, id);
CREATE INDEX list_drafts_host ON list_drafts (host, sub_id);
-- Hosts that no list touches by itself.
CREATE TABLE list_excludes (
	host       TEXT      NOT NULL PRIMARY KEY,
	note       TEXT      NOT NULL DEFAULT '',
	created_by BIGINT    REFERENCES accounts (id),
	created_at TIMESTAMP(3) NOT NULL
);

-- Peers by the name they are listed under: their label or their host, in lower
-- case. Blocked ones may be very many, and are in few people's way.
ALTER TABLE peers ADD COLUMN sort_name TEXT NOT NULL DEFAULT '';
UPDATE peers SET sort_name = LOWER(CASE WHEN label = '' THEN host ELSE label END);
CREATE INDEX peers_name ON peers (sort_name, host);
CREATE INDEX peers_open ON peers (sort_name, host) WHERE standing <> 'blocked';
CREATE INDEX peers_state ON peers (standing, preset, their_view, ceiling, expires_at);
-- A name that was proposed and turned down is not proposed again.
ALTER TABLE peer_hosts ADD COLUMN declined_at TIMESTAMP(3);
CREATE INDEX peers_limited ON peers (id) WHERE standing = 'allowed' AND (silenced OR media = 'strip' OR reports_in = 'refuse');

-- What people of a peer wrote and somebody here has to look at before it is
-- shown: the activity as it came (body), what a page shows of it (said, JSON),
-- why it waits, and what was decided. Of what is decided only the record stays.
CREATE TABLE held_items (
	id          BIGINT    NOT NULL PRIMARY KEY,
	peer        TEXT      NOT NULL,
	host        TEXT      NOT NULL,
	account_id  BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	kind        TEXT      NOT NULL CHECK (kind IN ('post', 'reply', 'edit', 'boost')),
	type        TEXT      NOT NULL,
	activity_id TEXT      NOT NULL,
	object_uri  TEXT      NOT NULL,
	found       BOOLEAN   NOT NULL DEFAULT FALSE,
	why         TEXT      NOT NULL CHECK (why IN ('first', 'media', 'links', 'all', 'about')),
	body        BYTEA     NOT NULL,
	said        TEXT      NOT NULL DEFAULT '{}',
	edited_at   TIMESTAMP(3),
	received_at TIMESTAMP(3) NOT NULL,
	decision    TEXT      NOT NULL DEFAULT '' CHECK (decision IN ('', 'passed', 'dropped', 'expired', 'withdrawn')),
	reason      TEXT      NOT NULL DEFAULT '',
	decided_by  BIGINT    REFERENCES accounts (id),
	decided_at  TIMESTAMP(3)
);
CREATE UNIQUE INDEX held_items_once ON held_items (object_uri) WHERE decision = '' AND kind <> 'boost';
CREATE UNIQUE INDEX held_items_boost ON held_items (activity_id) WHERE decision = '' AND kind = 'boost';
CREATE INDEX held_items_object ON held_items (object_uri, id);
CREATE INDEX held_items_waiting ON held_items (id) WHERE decision = '';
CREATE INDEX held_items_host ON held_items (host, id) WHERE decision = '';
CREATE INDEX held_items_peer ON held_items (peer, id) WHERE decision = '';
CREATE INDEX held_items_account ON held_items (account_id, id) WHERE decision = '';
CREATE INDEX held_items_decided ON held_items (decided_at) WHERE decided_at IS NOT NULL;
-- Whose posts are not held any more.
CREATE TABLE held_authors (
	account_id BIGINT    NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
	decided_by BIGINT    REFERENCES accounts (id),
	decided_at TIMESTAMP(3) NOT NULL
);
-- How many posts of a peer were taken on its last day, UTC, where that is limited.
CREATE TABLE peer_days (
	peer  TEXT      NOT NULL PRIMARY KEY,
	day   TEXT      NOT NULL,
	posts BIGINT    NOT NULL
);
-- holding says that something of the peer waits; silenced repeats, where reading
-- finds it, what the policy says of an account's server; held names what a
-- person let pass.
ALTER TABLE peers ADD COLUMN holding BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE hosts ADD COLUMN silenced BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE accounts ADD COLUMN silenced BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE incoming ADD COLUMN held BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reports ADD COLUMN apart BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX hosts_silenced ON hosts (host) WHERE silenced;
CREATE INDEX accounts_silenced ON accounts (host) WHERE silenced;
CREATE INDEX peers_silenced ON peers (host) WHERE silenced;

-- Requests to connect: out, from here, and in, from another server. kind is how
-- it was asked: with an Offer of a Relationship, or a Follow of the server's own
-- actor. key_hash and phrase are of the key that the other side had at that time.
CREATE TABLE peer_requests (
	id             BIGINT    NOT NULL PRIMARY KEY,
	direction      TEXT      NOT NULL CHECK (direction IN ('out', 'in')),
	kind           TEXT      NOT NULL CHECK (kind IN ('offer', 'follow')),
	state          TEXT      NOT NULL CHECK (state IN ('waiting', 'accepted', 'trial', 'rejected', 'withdrawn', 'expired', 'failed', 'ended')),
	host           TEXT      NOT NULL,
	uri            TEXT      NOT NULL,
	actor_uri      TEXT      NOT NULL,
	inbox          TEXT      NOT NULL,
	key_hash       TEXT      NOT NULL,
	phrase         TEXT      NOT NULL DEFAULT '',
	name           TEXT      NOT NULL DEFAULT '',
	software       TEXT      NOT NULL DEFAULT '',
	purpose        TEXT      NOT NULL DEFAULT '',
	contact        TEXT      NOT NULL DEFAULT '',
	preset         TEXT      NOT NULL DEFAULT '',
	hint           TEXT      NOT NULL DEFAULT '',
	code           TEXT      NOT NULL DEFAULT '',
	answer         TEXT      NOT NULL DEFAULT '',
	trouble        TEXT      NOT NULL DEFAULT '',
	delivered_at   TIMESTAMP(3),
	key_changed_at TIMESTAMP(3),
	reminded_at    TIMESTAMP(3),
	decided_at     TIMESTAMP(3),
	decided_by     BIGINT    REFERENCES accounts (id),
	created_by     BIGINT    REFERENCES accounts (id),
	created_at     TIMESTAMP(3) NOT NULL,
	expires_at     TIMESTAMP(3) NOT NULL
);
CREATE UNIQUE INDEX peer_requests_open ON peer_requests (direction, host) WHERE state = 'waiting';
CREATE UNIQUE INDEX peer_requests_uri ON peer_requests (direction, uri);
CREATE INDEX peer_requests_host ON peer_requests (host, id);
CREATE INDEX peer_requests_state ON peer_requests (direction, state, id);
CREATE INDEX peer_requests_expires ON peer_requests (expires_at) WHERE state = 'waiting';

-- What of it has yet to be said to the other server.
CREATE TABLE peer_messages (
	id         BIGINT    NOT NULL PRIMARY KEY,
	request_id BIGINT    NOT NULL REFERENCES peer_requests (id) ON DELETE CASCADE,
	host       TEXT      NOT NULL,
	kind       TEXT      NOT NULL CHECK (kind IN ('offer', 'accept', 'trial', 'reject', 'undo_offer', 'undo_accept')),
	summary    TEXT      NOT NULL DEFAULT '',
	tries      BIGINT    NOT NULL DEFAULT 0,
	next_at    TIMESTAMP(3) NOT NULL,
	created_at TIMESTAMP(3) NOT NULL
);
CREATE INDEX peer_messages_request ON peer_messages (request_id);
CREATE INDEX peer_messages_host ON peer_messages (host, id);
CREATE INDEX peer_messages_next ON peer_messages (next_at);

-- Which servers asked lately, to bound how often they may.
CREATE TABLE peer_offers (
	id         BIGINT    NOT NULL PRIMARY KEY,
	host       TEXT      NOT NULL,
	created_at TIMESTAMP(3) NOT NULL
);
CREATE INDEX peer_offers_host ON peer_offers (host, created_at);
CREATE INDEX peer_offers_created ON peer_offers (created_at);

-- Codes by which a server is connected without being asked about again.
CREATE TABLE peer_invitations (
	id         BIGINT    NOT NULL PRIMARY KEY,
	host       TEXT      NOT NULL,
	code_hash  TEXT      NOT NULL UNIQUE,
	preset     TEXT      NOT NULL DEFAULT '',
	note       TEXT      NOT NULL DEFAULT '',
	created_by BIGINT    REFERENCES accounts (id),
	created_at TIMESTAMP(3) NOT NULL,
	expires_at TIMESTAMP(3) NOT NULL,
	used_at    TIMESTAMP(3),
	revoked_at TIMESTAMP(3)
);
CREATE INDEX peer_invitations_host ON peer_invitations (host, id);

-- Administrators are told of requests, and of what became of them.
ALTER TABLE notifications DROP CONSTRAINT notices_kind_check;
ALTER TABLE notifications ADD CONSTRAINT notices_kind_check CHECK (kind IN ('follow', 'follow_request', 'mention', 'reply', 'acknowledgement', 'like', 'boost', 'answer',
	'edit', 'request', 'poll', 'quote', 'move', 'report', 'post', 'severed', 'quoted_edit', 'peering'));
ALTER TABLE notifications ADD COLUMN peer_request_id BIGINT REFERENCES peer_requests (id) ON DELETE CASCADE;
CREATE INDEX notifications_peering ON notifications (peer_request_id) WHERE peer_request_id IS NOT NULL;

-- Lists of servers that were imported, and what became of each of their lines:
-- an import can be undone as a whole. says is what the file says of the server,
-- before the entry as it was, both JSON; after_id is where in the log to look
-- for what was decided later.
CREATE TABLE peer_imports (
	id          BIGINT    NOT NULL PRIMARY KEY,
	name        TEXT      NOT NULL,
	format      TEXT      NOT NULL,
	direction   TEXT      NOT NULL DEFAULT '',
	digest      TEXT      NOT NULL,
	state       TEXT      NOT NULL CHECK (state IN ('reading', 'draft', 'applying', 'applied', 'undoing', 'undone', 'discarded')),
	preset      TEXT      NOT NULL DEFAULT '',
	conflicts   TEXT      NOT NULL DEFAULT 'keep' CHECK (conflicts IN ('keep', 'stricter', 'file')),
	fresh       BIGINT    NOT NULL DEFAULT 0,
	present     BIGINT    NOT NULL DEFAULT 0,
	conflicting BIGINT    NOT NULL DEFAULT 0,
	refused     BIGINT    NOT NULL DEFAULT 0,
	ties        BIGINT    NOT NULL DEFAULT 0,
	total       BIGINT    NOT NULL DEFAULT 0,
	done        BIGINT    NOT NULL DEFAULT 0,
	applied     BIGINT    NOT NULL DEFAULT 0,
	changed     BIGINT    NOT NULL DEFAULT 0,
	created_by  BIGINT    REFERENCES accounts (id),
	created_at  TIMESTAMP(3) NOT NULL,
	applied_at  TIMESTAMP(3),
	undo_until  TIMESTAMP(3),
	undone_at   TIMESTAMP(3),
	closed_at   TIMESTAMP(3)
);
CREATE INDEX peer_imports_close ON peer_imports (undo_until) WHERE undo_until IS NOT NULL AND closed_at IS NULL;
CREATE TABLE peer_import_entries (
	import_id BIGINT    NOT NULL REFERENCES peer_imports (id) ON DELETE CASCADE,
	seq       BIGINT    NOT NULL,
	line      BIGINT    NOT NULL,
	host      TEXT      NOT NULL,
	pile      TEXT      NOT NULL CHECK (pile IN ('new', 'there', 'conflict', 'refused')),
	deed      TEXT      NOT NULL DEFAULT '' CHECK (deed IN ('', 'allow', 'deny', 'limit')),
	why       TEXT      NOT NULL DEFAULT '',
	about     TEXT      NOT NULL DEFAULT '',
	says      TEXT      NOT NULL DEFAULT '',
	ties      BOOLEAN   NOT NULL DEFAULT FALSE,
	state     TEXT      NOT NULL DEFAULT '' CHECK (state IN ('', 'todo', 'done', 'changed', 'undone', 'hand')),
	was       TIMESTAMP(3),
	before    TEXT      NOT NULL DEFAULT '',
	after_id  BIGINT    NOT NULL DEFAULT 0,
	PRIMARY KEY (import_id, seq)
);
CREATE INDEX peer_import_entries_pile ON peer_import_entries (import_id, pile, seq);
CREATE INDEX peer_import_entries_state ON peer_import_entries (import_id, state, seq) WHERE state <> '';
CREATE INDEX peer_import_entries_remark ON peer_import_entries (host, import_id) WHERE why = 'import.limits_stranger';

-- What went between this server and another or one of its people, newest first.
CREATE INDEX incoming_host ON incoming (host, id);
CREATE INDEX deliveries_host ON deliveries (host, id);
CREATE INDEX outgoing_actor ON outgoing (actor_id, id);

-- When it was last seen to that a peer's posts are kept for a time only.
ALTER TABLE peers ADD COLUMN retained_at TIMESTAMP(3);
CREATE INDEX peers_retention ON peers (retained_at) WHERE retention > 0;

-- +goose Down
DROP INDEX peers_retention;
ALTER TABLE peers DROP COLUMN retained_at;
DROP INDEX outgoing_actor;
DROP INDEX deliveries_host;
DROP INDEX incoming_host;
-- The way back of imports.
DROP TABLE peer_import_entries;
DROP TABLE peer_imports;
-- The way back of requests to connect.
DELETE FROM notifications WHERE kind = 'peering';
DROP INDEX notifications_peering;
ALTER TABLE notifications DROP COLUMN peer_request_id;
ALTER TABLE notifications DROP CONSTRAINT notices_kind_check;
ALTER TABLE notifications ADD CONSTRAINT notices_kind_check CHECK (kind IN ('follow', 'follow_request', 'mention', 'reply', 'acknowledgement', 'like', 'boost', 'answer',
	'edit', 'request', 'poll', 'quote', 'move', 'report', 'post', 'severed', 'quoted_edit'));
DROP TABLE peer_invitations;
DROP TABLE peer_offers;
DROP TABLE peer_messages;
DROP TABLE peer_requests;
DROP INDEX accounts_silenced;
DROP INDEX hosts_silenced;
ALTER TABLE reports DROP COLUMN apart;
ALTER TABLE incoming DROP COLUMN held;
ALTER TABLE accounts DROP COLUMN silenced;
ALTER TABLE hosts DROP COLUMN silenced;
DROP TABLE peer_days;
DROP TABLE held_authors;
DROP TABLE held_items;
DROP TABLE list_excludes;
DROP TABLE list_drafts;
DROP TABLE list_sub_entries;
DROP TABLE list_subs;
DROP TABLE published_readers;
DROP TABLE published_entries;
DROP TABLE published_lists;
-- The way back of versions and bonds.
DROP TRIGGER posts_version ON posts;
DROP TRIGGER accounts_version ON accounts;
DROP TRIGGER users_version ON users;
DROP TRIGGER oauth_tokens_version ON oauth_tokens;
DROP TRIGGER oauth_apps_version ON oauth_apps;
DROP TRIGGER mutes_bond ON mutes;
DROP TRIGGER blocks_bond ON blocks;
DROP TRIGGER host_blocks_bond ON host_blocks;
DROP TRIGGER bookmarks_bond ON bookmarks;
DROP TRIGGER thread_mutes_bond ON thread_mutes;
DROP TRIGGER filters_bond ON filters;
DROP FUNCTION note_bond();
DROP FUNCTION note_blocked();
DROP FUNCTION next_version();
ALTER TABLE users DROP COLUMN bonds;
ALTER TABLE oauth_apps DROP COLUMN version;
ALTER TABLE oauth_tokens DROP COLUMN version;
ALTER TABLE users DROP COLUMN version;
ALTER TABLE accounts DROP COLUMN version;
ALTER TABLE posts DROP COLUMN version;

-- The way back of how connections end.
DROP TABLE audit_chain;
DROP TRIGGER audit_no_change ON audit;
DROP FUNCTION audit_only_added();
DELETE FROM severed WHERE act <> 'block';
ALTER TABLE severed DROP COLUMN act;
DROP TABLE severed_counts;
DROP TABLE severed_ties;
DROP INDEX chores_subject;
DELETE FROM chores WHERE kind NOT IN ('erase', 'move', 'sever');
ALTER TABLE chores DROP COLUMN at_post;
ALTER TABLE chores DROP COLUMN at_id;
ALTER TABLE chores DROP COLUMN total;
ALTER TABLE chores DROP COLUMN done;
ALTER TABLE chores DROP CONSTRAINT chores_kind_check;
ALTER TABLE chores ADD CONSTRAINT chores_kind_check CHECK (kind IN ('erase', 'move', 'sever'));
DROP INDEX peers_keep;
ALTER TABLE peers DROP COLUMN withdraw;
ALTER TABLE peers DROP COLUMN keep_until;
DROP TABLE peer_hosts;
CREATE TABLE peers_kept AS SELECT host, standing, ceiling, label, note, reason, changed_by, created_at, changed_at, id FROM peers
	WHERE standing IN ('allowed', 'blocked');
DROP TABLE peers;
CREATE TABLE peers (
	host       TEXT      NOT NULL PRIMARY KEY,
	standing   TEXT      NOT NULL CHECK (standing IN ('allowed', 'blocked')),
	ceiling    TEXT      NOT NULL DEFAULT 'network' CHECK (ceiling IN ('none', 'public', 'network', 'group')),
	label      TEXT      NOT NULL DEFAULT '',
	note       TEXT      NOT NULL DEFAULT '',
	reason     TEXT      NOT NULL DEFAULT '',
	changed_by BIGINT    REFERENCES accounts (id),
	created_at TIMESTAMP(3) NOT NULL,
	changed_at TIMESTAMP(3) NOT NULL,
	id         BIGINT    NOT NULL DEFAULT 0
);
INSERT INTO peers SELECT host, standing, ceiling, label, note, reason, changed_by, created_at, changed_at, id FROM peers_kept;
DROP TABLE peers_kept;
CREATE INDEX peers_standing ON peers (standing, host);
CREATE UNIQUE INDEX peers_id ON peers (id);
CREATE INDEX peers_standing_id ON peers (standing, id);
