-- +goose Up
CREATE TABLE posts (
	id                 INTEGER NOT NULL PRIMARY KEY,
	author_id          BIGINT    NOT NULL REFERENCES accounts (id),
	author_host        TEXT      NOT NULL DEFAULT '',
	uri                TEXT,
	url                TEXT      NOT NULL DEFAULT '',
	kind               TEXT      NOT NULL CHECK (kind IN ('practice', 'discussion', 'question', 'reply', 'acknowledgement', 'note', 'boost')),
	audience           TEXT      NOT NULL CHECK (audience IN ('me', 'people', 'group', 'school', 'followers', 'network', 'public')),
	unlisted           BOOLEAN   NOT NULL DEFAULT FALSE,
	listed             BOOLEAN   NOT NULL DEFAULT FALSE,
	group_id           BIGINT,
	title              TEXT      NOT NULL DEFAULT '',
	teaser             TEXT      NOT NULL DEFAULT '',
	warning            TEXT      NOT NULL DEFAULT '',
	sensitive          BOOLEAN   NOT NULL DEFAULT FALSE,
	source             TEXT      NOT NULL DEFAULT '',
	sections           TEXT      NOT NULL DEFAULT '',
	html               TEXT      NOT NULL DEFAULT '',
	language           TEXT      NOT NULL DEFAULT '',
	subject            TEXT      NOT NULL DEFAULT '',
	level              TEXT      NOT NULL DEFAULT '',
	licence            TEXT      NOT NULL DEFAULT '',
	contributors       TEXT      NOT NULL DEFAULT '',
	thread_id          BIGINT    NOT NULL,
	in_reply_to_id     BIGINT,
	in_reply_to_uri    TEXT      NOT NULL DEFAULT '',
	in_reply_to_author BIGINT,
	boost_of_id        BIGINT,
	accepted_answer_id BIGINT,
	context_uri        TEXT      NOT NULL DEFAULT '',
	replies_count      BIGINT    NOT NULL DEFAULT 0,
	likes_count        BIGINT    NOT NULL DEFAULT 0,
	boosts_count       BIGINT    NOT NULL DEFAULT 0,
	uses_count         BIGINT    NOT NULL DEFAULT 0,
	media_count        BIGINT    NOT NULL DEFAULT 0,
	created_at         TIMESTAMP NOT NULL,
	edited_at          TIMESTAMP,
	deleted_at         TIMESTAMP
);
CREATE UNIQUE INDEX posts_uri ON posts (uri) WHERE uri IS NOT NULL;
CREATE INDEX posts_author ON posts (author_id, id);
CREATE INDEX posts_thread ON posts (thread_id, id);
CREATE INDEX posts_parent ON posts (in_reply_to_id, id) WHERE in_reply_to_id IS NOT NULL;
CREATE INDEX posts_orphans ON posts (in_reply_to_uri) WHERE in_reply_to_uri <> '' AND in_reply_to_id IS NULL;
CREATE UNIQUE INDEX posts_boost ON posts (boost_of_id, author_id) WHERE boost_of_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX posts_listed_here ON posts (id) WHERE listed AND author_host = '';
CREATE INDEX posts_listed_elsewhere ON posts (id) WHERE listed AND author_host <> '';
CREATE INDEX posts_listed ON posts (id) WHERE listed;
CREATE INDEX posts_practice ON posts (id) WHERE listed AND kind = 'practice';

CREATE TABLE post_mentions (
	post_id    BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	account_id BIGINT NOT NULL REFERENCES accounts (id),
	PRIMARY KEY (post_id, account_id)
) WITHOUT ROWID;
CREATE INDEX post_mentions_account ON post_mentions (account_id, post_id);

CREATE TABLE post_tags (
	tag     TEXT   NOT NULL,
	post_id BIGINT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	name    TEXT   NOT NULL,
	PRIMARY KEY (tag, post_id)
) WITHOUT ROWID;
CREATE INDEX post_tags_post ON post_tags (post_id);

CREATE TABLE post_revisions (
	id         INTEGER NOT NULL PRIMARY KEY,
	post_id    BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	title      TEXT      NOT NULL,
	warning    TEXT      NOT NULL,
	source     TEXT      NOT NULL,
	sections   TEXT      NOT NULL,
	html       TEXT      NOT NULL,
	media      TEXT      NOT NULL DEFAULT '[]',
	written_at TIMESTAMP NOT NULL
);
CREATE INDEX post_revisions_post ON post_revisions (post_id, id);

CREATE TABLE attachments (
	id          INTEGER NOT NULL PRIMARY KEY,
	account_id  BIGINT    NOT NULL REFERENCES accounts (id),
	post_id     BIGINT    REFERENCES posts (id) ON DELETE CASCADE,
	position    BIGINT    NOT NULL DEFAULT 0,
	name        TEXT      NOT NULL DEFAULT '',
	preview     TEXT      NOT NULL DEFAULT '',
	remote_url  TEXT      NOT NULL DEFAULT '',
	mime        TEXT      NOT NULL,
	bytes       BIGINT    NOT NULL DEFAULT 0,
	width       BIGINT    NOT NULL DEFAULT 0,
	height      BIGINT    NOT NULL DEFAULT 0,
	alt         TEXT      NOT NULL DEFAULT '',
	decorative  BOOLEAN   NOT NULL DEFAULT FALSE,
	blurhash    TEXT      NOT NULL DEFAULT '',
	focus_x     REAL NOT NULL DEFAULT 0,
	focus_y     REAL NOT NULL DEFAULT 0,
	created_at  TIMESTAMP NOT NULL
);
CREATE INDEX attachments_post ON attachments (post_id, position) WHERE post_id IS NOT NULL;
CREATE INDEX attachments_loose ON attachments (created_at) WHERE post_id IS NULL;
CREATE INDEX attachments_account ON attachments (account_id, id);
CREATE INDEX attachments_name ON attachments (name) WHERE name <> '';
CREATE INDEX attachments_preview ON attachments (preview) WHERE preview <> '';

CREATE TABLE likes (
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	post_id    BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	id         BIGINT    NOT NULL,
	uri        TEXT      NOT NULL DEFAULT '',
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, post_id)
) WITHOUT ROWID;
CREATE INDEX likes_post ON likes (post_id, id);

CREATE TABLE bookmarks (
	account_id BIGINT    NOT NULL REFERENCES accounts (id),
	post_id    BIGINT    NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	id         BIGINT    NOT NULL,
	created_at TIMESTAMP NOT NULL,
	PRIMARY KEY (account_id, post_id)
) WITHOUT ROWID;
CREATE INDEX bookmarks_list ON bookmarks (account_id, id);
CREATE INDEX bookmarks_post ON bookmarks (post_id);

-- Each reader's home list. What the reader may see is decided when reading.
CREATE TABLE home_entries (
	account_id BIGINT NOT NULL,
	post_id    BIGINT NOT NULL,
	PRIMARY KEY (account_id, post_id)
) WITHOUT ROWID;
CREATE INDEX home_entries_post ON home_entries (post_id);

CREATE TABLE notifications (
	id         INTEGER NOT NULL PRIMARY KEY,
	account_id BIGINT    NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
	kind       TEXT      NOT NULL CHECK (kind IN ('follow', 'follow_request', 'mention', 'reply', 'acknowledgement', 'like', 'boost', 'answer', 'edit', 'request')),
	from_id    BIGINT    NOT NULL REFERENCES accounts (id),
	post_id    BIGINT    REFERENCES posts (id) ON DELETE CASCADE,
	created_at TIMESTAMP NOT NULL
);
CREATE INDEX notifications_account ON notifications (account_id, id);
CREATE INDEX notifications_from ON notifications (from_id, account_id);
CREATE INDEX notifications_post ON notifications (post_id) WHERE post_id IS NOT NULL;

-- Things of others that were deleted before they were known here.
CREATE TABLE tombstones (
	uri        TEXT      NOT NULL PRIMARY KEY,
	deleted_at TIMESTAMP NOT NULL
);
CREATE INDEX tombstones_deleted ON tombstones (deleted_at);

-- +goose Down
DROP TABLE tombstones;
DROP TABLE notifications;
DROP TABLE home_entries;
DROP TABLE bookmarks;
DROP TABLE likes;
DROP TABLE attachments;
DROP TABLE post_revisions;
DROP TABLE post_tags;
DROP TABLE post_mentions;
DROP TABLE posts;
