-- +goose Up
-- What is remembered of a token is remembered with the version of its row alone,
-- which a change of its app, and of whose token it is, moves on, too.
-- +goose StatementBegin
CREATE TRIGGER accounts_tokens AFTER UPDATE OF version ON accounts WHEN NEW.host = '' OR OLD.host = '' BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = NEW.id AND revoked_at IS NULL; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_tokens_added AFTER INSERT ON users BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = NEW.account_id AND revoked_at IS NULL; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_tokens AFTER UPDATE OF version ON users BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = NEW.account_id AND revoked_at IS NULL; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_tokens_gone AFTER DELETE ON users BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = OLD.account_id AND revoked_at IS NULL; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER oauth_apps_tokens AFTER UPDATE OF version ON oauth_apps BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE app_id = NEW.id AND revoked_at IS NULL; END;
-- +goose StatementEnd

-- The policy about other servers is kept in memory with this version, which every
-- change of any of it moves on.
ALTER TABLE site ADD COLUMN policy_version BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE TRIGGER site_policy AFTER UPDATE OF id, host, mode ON site BEGIN UPDATE site SET policy_version = policy_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peers_policy_begun AFTER INSERT ON peers BEGIN UPDATE site SET policy_version = policy_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peers_policy_ended AFTER DELETE ON peers BEGIN UPDATE site SET policy_version = policy_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peers_policy AFTER UPDATE OF host, id, standing, subtree, preset, ceiling, inbound, outbound, hold, silenced, media, rights, reports_in, reports_out, search, retention, per_minute, per_day, max_bytes, backfill, holding, expires_at ON peers WHEN 
	OLD.host IS NOT NEW.host OR OLD.id IS NOT NEW.id OR OLD.standing IS NOT NEW.standing OR OLD.subtree IS NOT NEW.subtree OR OLD.preset IS NOT NEW.preset OR OLD.ceiling IS NOT NEW.ceiling OR OLD.inbound IS NOT NEW.inbound OR OLD.outbound IS NOT NEW.outbound OR OLD.hold IS NOT NEW.hold OR OLD.silenced IS NOT NEW.silenced OR OLD.media IS NOT NEW.media OR OLD.rights IS NOT NEW.rights OR OLD.reports_in IS NOT NEW.reports_in OR OLD.reports_out IS NOT NEW.reports_out OR OLD.search IS NOT NEW.search OR OLD.retention IS NOT NEW.retention OR OLD.per_minute IS NOT NEW.per_minute OR OLD.per_day IS NOT NEW.per_day OR OLD.max_bytes IS NOT NEW.max_bytes OR OLD.backfill IS NOT NEW.backfill OR OLD.holding IS NOT NEW.holding OR OLD.expires_at IS NOT NEW.expires_at
 BEGIN UPDATE site SET policy_version = policy_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peer_hosts_policy_begun AFTER INSERT ON peer_hosts WHEN NEW.confirmed_at IS NOT NULL BEGIN UPDATE site SET policy_version = policy_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peer_hosts_policy_ended AFTER DELETE ON peer_hosts WHEN OLD.confirmed_at IS NOT NULL BEGIN UPDATE site SET policy_version = policy_version + 1; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER peer_hosts_policy AFTER UPDATE OF host, peer_id, role, confirmed_at ON peer_hosts WHEN OLD.host IS NOT NEW.host OR OLD.peer_id IS NOT NEW.peer_id OR OLD.role IS NOT NEW.role OR OLD.confirmed_at IS NOT NEW.confirmed_at BEGIN UPDATE site SET policy_version = policy_version + 1; END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER peer_hosts_policy;
DROP TRIGGER peer_hosts_policy_ended;
DROP TRIGGER peer_hosts_policy_begun;
DROP TRIGGER peers_policy;
DROP TRIGGER peers_policy_ended;
DROP TRIGGER peers_policy_begun;
DROP TRIGGER site_policy;
ALTER TABLE site DROP COLUMN policy_version;
DROP TRIGGER oauth_apps_tokens;
DROP TRIGGER users_tokens_gone;
DROP TRIGGER users_tokens;
DROP TRIGGER users_tokens_added;
DROP TRIGGER accounts_tokens;
