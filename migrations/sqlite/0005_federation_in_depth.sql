-- +goose Up
-- An actor may have several keys: RSA for everyone, Ed25519 for those who
-- understand it, and an old one beside its successor.
CREATE TABLE keys_of_accounts (
	key_id      TEXT      NOT NULL PRIMARY KEY,
	account_id  BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	algorithm   TEXT      NOT NULL CHECK (algorithm IN ('rsa', 'ed25519', 'ecdsa')),
	public_key  TEXT      NOT NULL,
	private_key TEXT      NOT NULL DEFAULT '',
	fetched_at  TIMESTAMP NOT NULL
);
INSERT INTO keys_of_accounts (key_id, account_id, algorithm, public_key, private_key, fetched_at)
	SELECT key_id, account_id, 'rsa', public_key, private_key, fetched_at FROM account_keys;
DROP TABLE account_keys;
ALTER TABLE keys_of_accounts RENAME TO account_keys;
CREATE INDEX account_keys_account ON account_keys (account_id);
ALTER TABLE site ADD COLUMN ed25519_public_key TEXT NOT NULL DEFAULT '';
ALTER TABLE site ADD COLUMN ed25519_private_key TEXT NOT NULL DEFAULT '';

ALTER TABLE accounts ADD COLUMN emoji TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN featured_uri TEXT NOT NULL DEFAULT '';
CREATE INDEX accounts_moved ON accounts (moved_to) WHERE moved_to <> '';
ALTER TABLE accounts ADD COLUMN moved_at TIMESTAMP;
-- When its server says that it changed an account last.
ALTER TABLE accounts ADD COLUMN said_at TIMESTAMP;

-- Whose word it is that something was deleted; 0 is not known.
CREATE TABLE graves (
	uri        TEXT      NOT NULL,
	account_id BIGINT    NOT NULL DEFAULT 0,
	deleted_at TIMESTAMP NOT NULL,
	PRIMARY KEY (uri, account_id)
);
INSERT INTO graves (uri, account_id, deleted_at) SELECT uri, 0, deleted_at FROM tombstones;
DROP TABLE tombstones;
ALTER TABLE graves RENAME TO tombstones;
CREATE INDEX tombstones_deleted ON tombstones (deleted_at);

-- Which signatures a server is known to accept: '' is not known yet.
ALTER TABLE hosts ADD COLUMN signatures TEXT NOT NULL DEFAULT '' CHECK (signatures IN ('', 'cavage', 'rfc9421', 'ed25519'));
ALTER TABLE hosts ADD COLUMN signatures_at TIMESTAMP;

-- extra is what is only shown and hardly any post has, as JSON.
ALTER TABLE posts ADD COLUMN extra TEXT NOT NULL DEFAULT '';
ALTER TABLE posts ADD COLUMN quote_id BIGINT;
ALTER TABLE posts ADD COLUMN quote_uri TEXT NOT NULL DEFAULT '';
ALTER TABLE posts ADD COLUMN quote_state TEXT NOT NULL DEFAULT '' CHECK (quote_state IN ('', 'pending', 'accepted', 'rejected', 'revoked'));
ALTER TABLE posts ADD COLUMN quote_authorization TEXT NOT NULL DEFAULT '';
ALTER TABLE posts ADD COLUMN quotes_count BIGINT NOT NULL DEFAULT 0;
-- Of another server's post: whether its author lets anybody quote it.
ALTER TABLE posts ADD COLUMN quotable BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE posts ADD COLUMN replies_uri TEXT NOT NULL DEFAULT '';
ALTER TABLE posts ADD COLUMN replies_fetched_at TIMESTAMP;
CREATE INDEX posts_quote ON posts (quote_id, id) WHERE quote_id IS NOT NULL;
CREATE INDEX posts_quote_authorization ON posts (quote_authorization) WHERE quote_authorization <> '';

CREATE TABLE polls (
	post_id   INTEGER   NOT NULL PRIMARY KEY REFERENCES posts (id) ON DELETE CASCADE,
	multiple  BOOLEAN   NOT NULL DEFAULT FALSE,
	voters    BIGINT    NOT NULL DEFAULT 0,
	ends_at   TIMESTAMP,
	closed_at TIMESTAMP,
	tell_at   TIMESTAMP,
	fetched_at TIMESTAMP
);
CREATE INDEX polls_open ON polls (ends_at) WHERE ends_at IS NOT NULL AND closed_at IS NULL;
CREATE INDEX polls_tell ON polls (tell_at) WHERE tell_at IS NOT NULL;
CREATE TABLE poll_options (
	post_id  BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	position BIGINT NOT NULL,
	title    TEXT   NOT NULL,
	votes    BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (post_id, position)
) WITHOUT ROWID;
CREATE TABLE poll_votes (
	post_id    BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	position   BIGINT    NOT NULL,
	id         BIGINT    NOT NULL,
	uri        TEXT      NOT NULL DEFAULT '',
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (post_id, account_id, position)
) WITHOUT ROWID;
CREATE INDEX poll_votes_account ON poll_votes (account_id, post_id);

-- Answers that other servers tell of and that are not here, by the post that
-- they are told to stand under, with the reason.
CREATE TABLE ghosts (
	post_id BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	uri     TEXT      NOT NULL,
	host    TEXT      NOT NULL,
	reason  TEXT      NOT NULL CHECK (reason IN ('stranger', 'deleted', 'unreadable')),
	seen_at TIMESTAMP NOT NULL,
	PRIMARY KEY (post_id, uri)
) WITHOUT ROWID;
CREATE INDEX ghosts_seen ON ghosts (seen_at);

-- A like with an emoji is what other servers call a reaction.
ALTER TABLE likes ADD COLUMN emoji TEXT NOT NULL DEFAULT '';
ALTER TABLE likes ADD COLUMN emoji_url TEXT NOT NULL DEFAULT '';

CREATE TABLE pins (
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	post_id    BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	id         BIGINT    NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, post_id)
) WITHOUT ROWID;
CREATE INDEX pins_post ON pins (post_id);
CREATE TABLE featured_tags (
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	tag        TEXT      NOT NULL,
	name       TEXT      NOT NULL,
	id         BIGINT    NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, tag)
) WITHOUT ROWID;

-- Leave to quote a post of this server, given or refused (FEP-044f).
CREATE TABLE quote_approvals (
	id         INTEGER   NOT NULL PRIMARY KEY,
	post_id    BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	quote_uri  TEXT      NOT NULL,
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	state      TEXT      NOT NULL CHECK (state IN ('accepted', 'rejected', 'revoked')),
	created_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX quote_approvals_uri ON quote_approvals (quote_uri, post_id);
CREATE INDEX quote_approvals_post ON quote_approvals (post_id);

CREATE TABLE reports (
	id          INTEGER   NOT NULL PRIMARY KEY,
	uri         TEXT      NOT NULL DEFAULT '',
	host        TEXT      NOT NULL DEFAULT '',
	account_id  BIGINT    REFERENCES accounts (id),
	target_id   BIGINT    NOT NULL REFERENCES accounts (id),
	posts       TEXT      NOT NULL DEFAULT '[]',
	comment     TEXT      NOT NULL DEFAULT '',
	category    TEXT      NOT NULL DEFAULT 'other',
	forward     BOOLEAN   NOT NULL DEFAULT FALSE,
	forwarded_at TIMESTAMP,
	state       TEXT      NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
	resolved_by BIGINT    REFERENCES accounts (id),
	resolved_at TIMESTAMP,
	created_at  TIMESTAMP NOT NULL
);
CREATE INDEX reports_state ON reports (state, id);
CREATE UNIQUE INDEX reports_uri ON reports (uri) WHERE uri <> '';
CREATE INDEX reports_target ON reports (target_id);

-- Not sent by whom it says did it: it is believed once it is proved.
ALTER TABLE incoming ADD COLUMN unproven BOOLEAN NOT NULL DEFAULT FALSE;
-- Several servers give each update of a post, or each answer to a follow, the
-- address of the one before: only what is the same to the letter is a repeat.
ALTER TABLE incoming ADD COLUMN digest TEXT NOT NULL DEFAULT '';
DROP INDEX incoming_activity;
CREATE UNIQUE INDEX incoming_activity ON incoming (activity_id, digest);
-- What arrived and was not taken, for the administrators' page about a server.
CREATE INDEX incoming_refused ON incoming (host, id) WHERE error <> '';

-- The digest of the followers that the host should know (FEP-8fcf).
ALTER TABLE deliveries ADD COLUMN digest TEXT NOT NULL DEFAULT '';

CREATE TABLE notices (
	id         INTEGER NOT NULL PRIMARY KEY,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	kind       TEXT      NOT NULL CHECK (kind IN ('follow', 'follow_request', 'mention', 'reply', 'acknowledgement', 'like', 'boost', 'answer',
		'edit', 'request', 'poll', 'quote', 'move', 'report', 'post', 'severed')),
	from_id    BIGINT    NOT NULL REFERENCES accounts (id),
	post_id    BIGINT    REFERENCES posts (id) ON DELETE CASCADE,
	created_at TIMESTAMP NOT NULL
);
INSERT INTO notices SELECT id, account_id, kind, from_id, post_id, created_at FROM notifications;
DROP TABLE notifications;
ALTER TABLE notices RENAME TO notifications;
CREATE INDEX notifications_account ON notifications (account_id, id);
CREATE INDEX notifications_from ON notifications (from_id, account_id);
CREATE INDEX notifications_post ON notifications (post_id) WHERE post_id IS NOT NULL;

-- Work that a deed began and that is done piece by piece: an account's things
-- are erased, its followers moved on, its ties to a blocked server cut.
CREATE TABLE chores (
	id         INTEGER NOT NULL PRIMARY KEY,
	kind       TEXT      NOT NULL CHECK (kind IN ('erase', 'move', 'sever')),
	account_id BIGINT    REFERENCES accounts (id) ON DELETE CASCADE,
	subject    TEXT      NOT NULL DEFAULT '',
	tries      BIGINT    NOT NULL DEFAULT 0,
	next_at    TIMESTAMP NOT NULL,
	created_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX chores_once ON chores (kind, account_id) WHERE account_id IS NOT NULL;
CREATE INDEX chores_next ON chores (next_at);

-- How many follows of somebody here ended when a server was blocked.
CREATE TABLE severed (
	notification_id INTEGER NOT NULL PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
	host            TEXT    NOT NULL,
	followers       BIGINT  NOT NULL DEFAULT 0,
	following       BIGINT  NOT NULL DEFAULT 0
);

-- +goose Down
DROP TABLE severed;
DROP TABLE chores;
DROP INDEX incoming_refused;
DELETE FROM incoming WHERE unproven;
ALTER TABLE incoming DROP COLUMN unproven;
DROP INDEX incoming_activity;
DELETE FROM incoming WHERE id NOT IN (SELECT max(id) FROM incoming GROUP BY activity_id);
CREATE UNIQUE INDEX incoming_activity ON incoming (activity_id);
ALTER TABLE incoming DROP COLUMN digest;
ALTER TABLE deliveries DROP COLUMN digest;
DROP TABLE reports;
DROP TABLE quote_approvals;
DROP TABLE featured_tags;
DROP TABLE ghosts;
DROP TABLE pins;
ALTER TABLE likes DROP COLUMN emoji_url;
ALTER TABLE likes DROP COLUMN emoji;
DROP TABLE poll_votes;
DROP TABLE poll_options;
DROP TABLE polls;
DROP INDEX posts_quote_authorization;
DROP INDEX posts_quote;
ALTER TABLE posts DROP COLUMN replies_fetched_at;
ALTER TABLE posts DROP COLUMN replies_uri;
ALTER TABLE posts DROP COLUMN quotable;
ALTER TABLE posts DROP COLUMN quotes_count;
ALTER TABLE posts DROP COLUMN quote_authorization;
ALTER TABLE posts DROP COLUMN quote_state;
ALTER TABLE posts DROP COLUMN quote_uri;
ALTER TABLE posts DROP COLUMN quote_id;
ALTER TABLE posts DROP COLUMN extra;
ALTER TABLE hosts DROP COLUMN signatures_at;
ALTER TABLE hosts DROP COLUMN signatures;
CREATE TABLE graves (
	uri        TEXT      NOT NULL PRIMARY KEY,
	deleted_at TIMESTAMP NOT NULL
);
INSERT INTO graves (uri, deleted_at) SELECT uri, min(deleted_at) FROM tombstones GROUP BY uri;
DROP TABLE tombstones;
ALTER TABLE graves RENAME TO tombstones;
CREATE INDEX tombstones_deleted ON tombstones (deleted_at);
ALTER TABLE accounts DROP COLUMN said_at;
ALTER TABLE accounts DROP COLUMN moved_at;
DROP INDEX accounts_moved;
ALTER TABLE accounts DROP COLUMN featured_uri;
ALTER TABLE accounts DROP COLUMN emoji;
ALTER TABLE site DROP COLUMN ed25519_private_key;
ALTER TABLE site DROP COLUMN ed25519_public_key;
DELETE FROM notifications WHERE kind IN ('poll', 'quote', 'move', 'report', 'post', 'severed');
DELETE FROM account_keys WHERE algorithm <> 'rsa';
