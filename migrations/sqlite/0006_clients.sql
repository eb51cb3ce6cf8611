-- +goose Up
CREATE INDEX quote_approvals_account ON quote_approvals (account_id);
CREATE INDEX oauth_codes_app ON oauth_codes (app_id);
CREATE INDEX oauth_tokens_app ON oauth_tokens (app_id);

-- What posts of other servers quote and is yet to be looked up: the quoted post,
-- and whether its author lets it be shown.
CREATE TABLE quote_lookups (
	post_id    INTEGER NOT NULL PRIMARY KEY REFERENCES posts (id) ON DELETE CASCADE,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	tries      BIGINT    NOT NULL DEFAULT 0,
	next_at    TIMESTAMP NOT NULL
);
CREATE INDEX quote_lookups_next ON quote_lookups (next_at);
CREATE INDEX quote_lookups_account ON quote_lookups (account_id);

-- How somebody here wants to hear of those whom they follow: with or without
-- what they pass on, told of each post, in which languages.
ALTER TABLE follows ADD COLUMN boosts_hidden BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE follows ADD COLUMN notify BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE follows ADD COLUMN languages TEXT NOT NULL DEFAULT '';
CREATE INDEX follows_notify ON follows (target_id) WHERE notify;

-- Notifications that are alike share a group_key; those that their reader's
-- policy keeps apart are filtered.
CREATE TABLE severed_kept AS SELECT notification_id, host, followers, following FROM severed;
DROP TABLE severed;
CREATE TABLE notices (
	id         INTEGER NOT NULL PRIMARY KEY,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	kind       TEXT      NOT NULL CHECK (kind IN ('follow', 'follow_request', 'mention', 'reply', 'acknowledgement', 'like', 'boost', 'answer',
		'edit', 'request', 'poll', 'quote', 'move', 'report', 'post', 'severed', 'quoted_edit')),
	from_id    BIGINT    NOT NULL REFERENCES accounts (id),
	post_id    BIGINT    REFERENCES posts (id) ON DELETE CASCADE,
	created_at TIMESTAMP NOT NULL,
	group_key  TEXT      NOT NULL DEFAULT '',
	filtered   BOOLEAN   NOT NULL DEFAULT FALSE,
	report_id  BIGINT    REFERENCES reports (id) ON DELETE CASCADE
);
INSERT INTO notices (id, account_id, kind, from_id, post_id, created_at) SELECT id, account_id, kind, from_id, post_id, created_at FROM notifications;
DROP TABLE notifications;
ALTER TABLE notices RENAME TO notifications;
CREATE INDEX notifications_account ON notifications (account_id, id);
CREATE INDEX notifications_from ON notifications (from_id, account_id);
CREATE INDEX notifications_post ON notifications (post_id) WHERE post_id IS NOT NULL;
CREATE TABLE severed (
	notification_id INTEGER NOT NULL PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
	host            TEXT    NOT NULL,
	followers       BIGINT  NOT NULL DEFAULT 0,
	following       BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO severed SELECT notification_id, host, followers, following FROM severed_kept;
DROP TABLE severed_kept;
CREATE INDEX notifications_group ON notifications (account_id, group_key, id) WHERE group_key <> '';
CREATE INDEX notifications_filtered ON notifications (account_id, from_id, id) WHERE filtered;
CREATE INDEX notifications_report ON notifications (report_id) WHERE report_id IS NOT NULL;

-- What becomes of notifications from whom somebody does not know. No row: all arrive.
CREATE TABLE notification_policies (
	account_id           INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
	for_not_following    TEXT NOT NULL DEFAULT 'accept' CHECK (for_not_following IN ('accept', 'filter', 'drop')),
	for_not_followers    TEXT NOT NULL DEFAULT 'accept' CHECK (for_not_followers IN ('accept', 'filter', 'drop')),
	for_new_accounts     TEXT NOT NULL DEFAULT 'accept' CHECK (for_new_accounts IN ('accept', 'filter', 'drop')),
	for_private_mentions TEXT NOT NULL DEFAULT 'accept' CHECK (for_private_mentions IN ('accept', 'filter', 'drop')),
	for_limited_accounts TEXT NOT NULL DEFAULT 'accept' CHECK (for_limited_accounts IN ('accept', 'filter', 'drop'))
);

-- Somebody whose notifications were filtered asks to be heard.
CREATE TABLE notification_requests (
	id         INTEGER NOT NULL PRIMARY KEY,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	from_id    BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	created_at TIMESTAMP NOT NULL,
	updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX notification_requests_pair ON notification_requests (account_id, from_id);
CREATE INDEX notification_requests_account ON notification_requests (account_id, id);
CREATE INDEX notification_requests_from ON notification_requests (from_id);

-- Whom somebody's policy does not touch.
CREATE TABLE notification_permissions (
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	from_id    BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, from_id)
) WITHOUT ROWID;
CREATE INDEX notification_permissions_from ON notification_permissions (from_id);

-- Servers of which one person here wants to see nothing.
CREATE TABLE host_blocks (
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	host       TEXT      NOT NULL,
	id         BIGINT    NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, host)
) WITHOUT ROWID;
CREATE INDEX host_blocks_account ON host_blocks (account_id, id);

-- What somebody here noted of an account, for their own eyes.
CREATE TABLE account_notes (
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	target_id  BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	note       TEXT      NOT NULL,
	updated_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, target_id)
) WITHOUT ROWID;
CREATE INDEX account_notes_target ON account_notes (target_id);

-- Whom somebody here shows on their profile.
CREATE TABLE endorsements (
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	target_id  BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	id         BIGINT    NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, target_id)
) WITHOUT ROWID;
CREATE INDEX endorsements_account ON endorsements (account_id, id);
CREATE INDEX endorsements_target ON endorsements (target_id);

-- Whom somebody does not want to be suggested again.
CREATE TABLE suggestions_refused (
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	target_id  BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, target_id)
) WITHOUT ROWID;
CREATE INDEX suggestions_refused_target ON suggestions_refused (target_id);

-- What the school tells everybody who is signed in.
CREATE TABLE announcements (
	id           INTEGER NOT NULL PRIMARY KEY,
	source       TEXT      NOT NULL,
	html         TEXT      NOT NULL,
	author_id    BIGINT    REFERENCES accounts (id) ON DELETE SET NULL,
	all_day      BOOLEAN   NOT NULL DEFAULT FALSE,
	published_at TIMESTAMP NOT NULL,
	told_at      TIMESTAMP,
	starts_at    TIMESTAMP,
	ends_at      TIMESTAMP,
	created_at   TIMESTAMP NOT NULL,
	updated_at   TIMESTAMP NOT NULL
);
CREATE INDEX announcements_published ON announcements (published_at);
CREATE INDEX announcements_author ON announcements (author_id);
CREATE INDEX announcements_untold ON announcements (published_at) WHERE told_at IS NULL;

CREATE TABLE announcement_reads (
	announcement_id BIGINT NOT NULL REFERENCES announcements (id) ON DELETE CASCADE,
	account_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	PRIMARY KEY (announcement_id, account_id)
) WITHOUT ROWID;
CREATE INDEX announcement_reads_account ON announcement_reads (account_id);

CREATE TABLE announcement_reactions (
	announcement_id BIGINT NOT NULL REFERENCES announcements (id) ON DELETE CASCADE,
	name            TEXT   NOT NULL,
	account_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	id              BIGINT NOT NULL,
	PRIMARY KEY (announcement_id, name, account_id)
) WITHOUT ROWID;
CREATE INDEX announcement_reactions_account ON announcement_reactions (account_id);

ALTER TABLE accounts ADD COLUMN avatar_alt TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN header_alt TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN attribution_domains TEXT NOT NULL DEFAULT '[]';
CREATE INDEX accounts_discoverable ON accounts (id) WHERE discoverable;

-- What a person's clients use when they say nothing.
ALTER TABLE users ADD COLUMN default_sensitive BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN default_language TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN quote_policy TEXT NOT NULL DEFAULT '' CHECK (quote_policy IN ('', 'public', 'followers', 'nobody'));

-- Who may quote a public post of this server, and the app that wrote it.
ALTER TABLE posts ADD COLUMN quote_policy TEXT NOT NULL DEFAULT '' CHECK (quote_policy IN ('', 'public', 'followers', 'nobody'));
ALTER TABLE posts ADD COLUMN app_id BIGINT;

ALTER TABLE post_revisions ADD COLUMN sensitive BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE post_revisions ADD COLUMN poll TEXT NOT NULL DEFAULT '';
UPDATE post_revisions SET sensitive = TRUE WHERE warning <> '';

-- Posts that are to be published later. What the author may do is asked again
-- then: reason says why one was refused, and it waits for its author.
CREATE TABLE scheduled_posts (
	id           INTEGER NOT NULL PRIMARY KEY,
	account_id   BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	draft        TEXT      NOT NULL,
	scheduled_at TIMESTAMP NOT NULL,
	reason       TEXT      NOT NULL DEFAULT '',
	created_at   TIMESTAMP NOT NULL
);
CREATE INDEX scheduled_posts_account ON scheduled_posts (account_id, id);
CREATE INDEX scheduled_posts_day ON scheduled_posts (account_id, scheduled_at);
CREATE INDEX scheduled_posts_due ON scheduled_posts (scheduled_at) WHERE reason = '';
ALTER TABLE attachments ADD COLUMN scheduled_id BIGINT;
-- Since when a picture is in no post any more.
ALTER TABLE attachments ADD COLUMN loose_at TIMESTAMP;
CREATE INDEX attachments_scheduled ON attachments (scheduled_id) WHERE scheduled_id IS NOT NULL;

-- Threads of which somebody wants to hear nothing more.
CREATE TABLE thread_mutes (
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	thread_id  BIGINT    NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, thread_id)
) WITHOUT ROWID;
CREATE INDEX thread_mutes_thread ON thread_mutes (thread_id);

-- What people wrote to each other and to nobody else, for each reader by thread
-- and by who takes part: people are their numbers, in order.
CREATE TABLE conversations (
	id           INTEGER NOT NULL PRIMARY KEY,
	account_id   BIGINT  NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	thread_id    BIGINT  NOT NULL,
	people       TEXT    NOT NULL,
	last_post_id BIGINT  NOT NULL,
	unread       BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX conversations_people ON conversations (account_id, thread_id, people);
CREATE INDEX conversations_last ON conversations (account_id, last_post_id);
CREATE INDEX conversations_thread ON conversations (thread_id);
CREATE TABLE conversation_posts (
	account_id      BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	post_id         BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	conversation_id BIGINT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
	PRIMARY KEY (account_id, post_id)
) WITHOUT ROWID;
CREATE INDEX conversation_posts_conversation ON conversation_posts (conversation_id, post_id);
CREATE INDEX conversation_posts_post ON conversation_posts (post_id);
-- What was written before.
WITH part AS (
	SELECT p.id AS post_id, p.thread_id, a.id AS account_id, a.host FROM posts p JOIN accounts a ON a.id = p.author_id
	WHERE p.audience IN ('me', 'people') AND p.deleted_at IS NULL AND a.deleted_at IS NULL
	UNION
	SELECT p.id, p.thread_id, a.id, a.host FROM posts p JOIN post_mentions m ON m.post_id = p.id JOIN accounts a ON a.id = m.account_id
	WHERE p.audience IN ('me', 'people') AND p.deleted_at IS NULL AND a.deleted_at IS NULL),
together AS (SELECT post_id, group_concat(account_id, ',') AS everyone FROM (SELECT post_id, account_id FROM part ORDER BY post_id, account_id) part GROUP BY post_id),
read_by AS (SELECT part.account_id, part.thread_id, part.post_id,
	trim(replace(',' || everyone || ',', ',' || CAST(part.account_id AS TEXT) || ',', ','), ',') AS people
	FROM part JOIN together ON together.post_id = part.post_id WHERE part.host = '')
INSERT INTO conversations (id, account_id, thread_id, people, last_post_id)
	SELECT row_number() OVER (ORDER BY MAX(post_id), account_id), account_id, thread_id, people, MAX(post_id) FROM read_by GROUP BY account_id, thread_id, people;
WITH part AS (
	SELECT p.id AS post_id, p.thread_id, a.id AS account_id, a.host FROM posts p JOIN accounts a ON a.id = p.author_id
	WHERE p.audience IN ('me', 'people') AND p.deleted_at IS NULL AND a.deleted_at IS NULL
	UNION
	SELECT p.id, p.thread_id, a.id, a.host FROM posts p JOIN post_mentions m ON m.post_id = p.id JOIN accounts a ON a.id = m.account_id
	WHERE p.audience IN ('me', 'people') AND p.deleted_at IS NULL AND a.deleted_at IS NULL),
together AS (SELECT post_id, group_concat(account_id, ',') AS everyone FROM (SELECT post_id, account_id FROM part ORDER BY post_id, account_id) part GROUP BY post_id),
read_by AS (SELECT part.account_id, part.thread_id, part.post_id,
	trim(replace(',' || everyone || ',', ',' || CAST(part.account_id AS TEXT) || ',', ','), ',') AS people
	FROM part JOIN together ON together.post_id = part.post_id WHERE part.host = '')
INSERT INTO conversation_posts (account_id, post_id, conversation_id)
	SELECT read_by.account_id, read_by.post_id, conversations.id FROM read_by JOIN conversations ON conversations.account_id = read_by.account_id
	AND conversations.thread_id = read_by.thread_id AND conversations.people = read_by.people;

-- People whom somebody here reads apart. replies says which answers of theirs to
-- others stand in the list; what an exclusive one holds does not stand at home.
CREATE TABLE lists (
	id         INTEGER NOT NULL PRIMARY KEY,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	title      TEXT      NOT NULL,
	replies    TEXT      NOT NULL CHECK (replies IN ('followed', 'list', 'none')),
	exclusive  BOOLEAN   NOT NULL DEFAULT FALSE,
	created_at TIMESTAMP NOT NULL
);
CREATE INDEX lists_account ON lists (account_id, id);
-- account_id and exclusive are the list's, kept here for what is asked of each post.
CREATE TABLE list_members (
	list_id    BIGINT  NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
	target_id  BIGINT  NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	account_id BIGINT  NOT NULL,
	exclusive  BOOLEAN NOT NULL DEFAULT FALSE,
	id         BIGINT  NOT NULL,
	PRIMARY KEY (list_id, target_id)
) WITHOUT ROWID;
CREATE INDEX list_members_list ON list_members (list_id, id);
CREATE INDEX list_members_target ON list_members (target_id, account_id);
CREATE INDEX list_members_exclusive ON list_members (account_id, target_id) WHERE exclusive;
-- As home_entries, for a list. What the reader may see is decided when reading.
CREATE TABLE list_entries (
	list_id BIGINT NOT NULL REFERENCES lists (id) ON DELETE CASCADE,
	post_id BIGINT NOT NULL,
	PRIMARY KEY (list_id, post_id)
) WITHOUT ROWID;
CREATE INDEX list_entries_post ON list_entries (post_id);

-- Hashtags whose posts somebody here finds at home.
CREATE TABLE tag_follows (
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	tag        TEXT NOT NULL,
	id         BIGINT    NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, tag)
) WITHOUT ROWID;
CREATE INDEX tag_follows_tag ON tag_follows (tag);
CREATE INDEX tag_follows_account ON tag_follows (account_id, id);

-- What somebody here does not want to read, or not without a warning: contexts
-- are words with a comma between them.
CREATE TABLE filters (
	id         INTEGER NOT NULL PRIMARY KEY,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	title      TEXT      NOT NULL,
	action     TEXT      NOT NULL CHECK (action IN ('warn', 'hide', 'blur')),
	contexts   TEXT      NOT NULL,
	expires_at TIMESTAMP,
	created_at TIMESTAMP NOT NULL
);
CREATE INDEX filters_account ON filters (account_id, id);
CREATE TABLE filter_keywords (
	id         INTEGER NOT NULL PRIMARY KEY,
	filter_id  BIGINT  NOT NULL REFERENCES filters (id) ON DELETE CASCADE,
	keyword    TEXT    NOT NULL,
	whole_word BOOLEAN NOT NULL DEFAULT TRUE
);
CREATE INDEX filter_keywords_filter ON filter_keywords (filter_id, id);
CREATE TABLE filter_posts (
	id        INTEGER NOT NULL PRIMARY KEY,
	filter_id BIGINT NOT NULL REFERENCES filters (id) ON DELETE CASCADE,
	post_id   BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX filter_posts_pair ON filter_posts (filter_id, post_id);
CREATE INDEX filter_posts_post ON filter_posts (post_id);

-- How far somebody has read a list, for all their clients; version counts the changes.
CREATE TABLE markers (
	account_id   BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	timeline     TEXT      NOT NULL CHECK (timeline IN ('home', 'notifications')),
	last_read_id BIGINT    NOT NULL,
	version      BIGINT    NOT NULL,
	updated_at   TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, timeline)
) WITHOUT ROWID;

CREATE INDEX likes_list ON likes (account_id, id) WHERE uri = '';
CREATE INDEX posts_media ON posts (id) WHERE listed AND media_count > 0;
CREATE INDEX posts_media_here ON posts (id) WHERE listed AND media_count > 0 AND author_host = '';

-- Who was named in a post that was deleted, for as long as it takes to tell them.
CREATE TABLE departed (
	post_id    BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	deleted_at TIMESTAMP NOT NULL,
	PRIMARY KEY (post_id, account_id)
) WITHOUT ROWID;
CREATE INDEX departed_account ON departed (account_id);
CREATE INDEX departed_deleted ON departed (deleted_at);

-- The key by which push services know this server (RFC 8292).
ALTER TABLE site ADD COLUMN vapid_key TEXT NOT NULL DEFAULT '';

-- Where an app has its notifications pushed to: one place for each token. The
-- token itself is kept because apps find by it whose notification came.
CREATE TABLE push_subscriptions (
	id         INTEGER NOT NULL PRIMARY KEY,
	token_id   BIGINT    NOT NULL REFERENCES oauth_tokens (id) ON DELETE CASCADE,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	token      TEXT      NOT NULL,
	endpoint   TEXT      NOT NULL,
	host       TEXT      NOT NULL,
	p256dh     TEXT      NOT NULL,
	auth       TEXT      NOT NULL,
	standard   BOOLEAN   NOT NULL DEFAULT FALSE,
	alerts     TEXT      NOT NULL DEFAULT '',
	policy     TEXT      NOT NULL DEFAULT 'all' CHECK (policy IN ('all', 'followed', 'follower', 'none')),
	created_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX push_subscriptions_token ON push_subscriptions (token_id);
CREATE INDEX push_subscriptions_account ON push_subscriptions (account_id);

-- Notifications that wait to be pushed.
CREATE TABLE pushes (
	notification_id BIGINT    NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
	subscription_id BIGINT    NOT NULL REFERENCES push_subscriptions (id) ON DELETE CASCADE,
	host            TEXT      NOT NULL,
	tries           BIGINT    NOT NULL DEFAULT 0,
	next_at         TIMESTAMP NOT NULL,
	created_at      TIMESTAMP NOT NULL,
	PRIMARY KEY (notification_id, subscription_id)
) WITHOUT ROWID;
CREATE INDEX pushes_lane ON pushes (host, next_at);
CREATE INDEX pushes_subscription ON pushes (subscription_id);

-- The push services that something waits for: one node at a time speaks to each.
CREATE TABLE push_lanes (
	host       TEXT      NOT NULL PRIMARY KEY,
	waiting    BOOLEAN   NOT NULL DEFAULT FALSE,
	failures   BIGINT    NOT NULL DEFAULT 0,
	next_at    TIMESTAMP NOT NULL,
	node       TEXT      NOT NULL DEFAULT '',
	node_until TIMESTAMP NOT NULL
);
CREATE INDEX push_lanes_next ON push_lanes (next_at) WHERE waiting;

-- The number by which clients name what was decided about a server, and whose
-- eyes are on a report.
ALTER TABLE peers ADD COLUMN id BIGINT NOT NULL DEFAULT 0;
UPDATE peers SET id = (SELECT COUNT(*) FROM peers p WHERE p.host <= peers.host);
CREATE UNIQUE INDEX peers_id ON peers (id);
CREATE INDEX peers_standing_id ON peers (standing, id);
ALTER TABLE reports ADD COLUMN assigned_to BIGINT;
CREATE INDEX reports_account ON reports (account_id, id);
CREATE INDEX accounts_suspended ON accounts (id) WHERE suspended_at IS NOT NULL;

-- Deletions that were refused are delivered again.
CREATE INDEX deliveries_refused ON deliveries (done_at) WHERE state = 'refused';

-- +goose Down
DROP INDEX deliveries_refused;
DROP INDEX accounts_suspended;
DROP INDEX reports_account;
ALTER TABLE reports DROP COLUMN assigned_to;
DROP INDEX peers_standing_id;
DROP INDEX peers_id;
ALTER TABLE peers DROP COLUMN id;
DROP TABLE push_lanes;
DROP TABLE pushes;
DROP TABLE push_subscriptions;
ALTER TABLE site DROP COLUMN vapid_key;
DROP TABLE departed;
DROP INDEX posts_media_here;
DROP INDEX posts_media;
DROP INDEX likes_list;
DROP TABLE markers;
DROP TABLE filter_posts;
DROP TABLE filter_keywords;
DROP TABLE filters;
DROP TABLE tag_follows;
DROP TABLE list_entries;
DROP TABLE list_members;
DROP TABLE lists;
DROP TABLE conversation_posts;
DROP TABLE conversations;
DROP TABLE thread_mutes;
DROP INDEX attachments_scheduled;
ALTER TABLE attachments DROP COLUMN loose_at;
ALTER TABLE attachments DROP COLUMN scheduled_id;
DROP TABLE scheduled_posts;
ALTER TABLE post_revisions DROP COLUMN poll;
ALTER TABLE post_revisions DROP COLUMN sensitive;
ALTER TABLE posts DROP COLUMN app_id;
ALTER TABLE posts DROP COLUMN quote_policy;
ALTER TABLE users DROP COLUMN quote_policy;
ALTER TABLE users DROP COLUMN default_language;
ALTER TABLE users DROP COLUMN default_sensitive;
DROP INDEX accounts_discoverable;
ALTER TABLE accounts DROP COLUMN attribution_domains;
ALTER TABLE accounts DROP COLUMN header_alt;
ALTER TABLE accounts DROP COLUMN avatar_alt;
DROP TABLE announcement_reactions;
DROP TABLE announcement_reads;
DROP TABLE announcements;
DROP TABLE suggestions_refused;
DROP TABLE endorsements;
DROP TABLE account_notes;
DROP TABLE host_blocks;
DROP TABLE notification_permissions;
DROP TABLE notification_requests;
DROP TABLE notification_policies;
DROP INDEX notifications_report;
DROP INDEX notifications_filtered;
DROP INDEX notifications_group;
DELETE FROM notifications WHERE kind = 'quoted_edit' OR filtered;
CREATE TABLE severed_kept AS SELECT notification_id, host, followers, following FROM severed;
DROP TABLE severed;
CREATE TABLE notices (
	id         INTEGER NOT NULL PRIMARY KEY,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	kind       TEXT      NOT NULL CHECK (kind IN ('follow', 'follow_request', 'mention', 'reply', 'acknowledgement', 'like', 'boost', 'answer',
		'edit', 'request', 'poll', 'quote', 'move', 'report', 'post', 'severed')),
	from_id    BIGINT    NOT NULL REFERENCES accounts (id),
	post_id    BIGINT    REFERENCES posts (id) ON DELETE CASCADE,
	created_at TIMESTAMP NOT NULL
);
INSERT INTO notices (id, account_id, kind, from_id, post_id, created_at) SELECT id, account_id, kind, from_id, post_id, created_at FROM notifications;
DROP TABLE notifications;
ALTER TABLE notices RENAME TO notifications;
CREATE INDEX notifications_account ON notifications (account_id, id);
CREATE INDEX notifications_from ON notifications (from_id, account_id);
CREATE INDEX notifications_post ON notifications (post_id) WHERE post_id IS NOT NULL;
CREATE TABLE severed (
	notification_id INTEGER NOT NULL PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
	host            TEXT    NOT NULL,
	followers       BIGINT  NOT NULL DEFAULT 0,
	following       BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO severed SELECT notification_id, host, followers, following FROM severed_kept;
DROP TABLE severed_kept;
DROP INDEX follows_notify;
ALTER TABLE follows DROP COLUMN languages;
ALTER TABLE follows DROP COLUMN notify;
ALTER TABLE follows DROP COLUMN boosts_hidden;
DROP TABLE quote_lookups;
DROP INDEX oauth_tokens_app;
DROP INDEX oauth_codes_app;
DROP INDEX quote_approvals_account;
