-- +goose Up
-- What is remembered of a token is remembered with the version of its row alone,
-- which a change of its app, and of whose token it is, moves on, too.
-- +goose StatementBegin
CREATE FUNCTION next_tokens_of_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE oauth_tokens SET version = version WHERE account_id = NEW.id AND revoked_at IS NULL;
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION next_tokens_of_user() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE oauth_tokens SET version = version WHERE account_id = COALESCE(NEW.account_id, OLD.account_id) AND revoked_at IS NULL;
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION next_tokens_of_app() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE oauth_tokens SET version = version WHERE app_id = OLD.id AND revoked_at IS NULL;
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- A token that is given while any of that changes waits for the change, or the
-- change for it: else the change would not see it, and leave its version.
-- +goose StatementBegin
CREATE FUNCTION hold_token_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	PERFORM 1 FROM accounts WHERE id = NEW.account_id FOR SHARE;
	PERFORM 1 FROM users WHERE account_id = NEW.account_id FOR SHARE;
	PERFORM 1 FROM oauth_apps WHERE id = NEW.app_id FOR SHARE;
	RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER oauth_tokens_owner BEFORE INSERT ON oauth_tokens FOR EACH ROW EXECUTE FUNCTION hold_token_owner();
CREATE TRIGGER accounts_tokens AFTER UPDATE ON accounts FOR EACH ROW WHEN (NEW.host = '' OR OLD.host = '') EXECUTE FUNCTION next_tokens_of_account();
CREATE TRIGGER users_tokens AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION next_tokens_of_user();
CREATE TRIGGER oauth_apps_tokens AFTER UPDATE ON oauth_apps FOR EACH ROW EXECUTE FUNCTION next_tokens_of_app();

-- The policy about other servers is kept in memory with this version, which every
-- change of any of it moves on.
ALTER TABLE site ADD COLUMN policy_version BIGINT NOT NULL DEFAULT 0;
-- +goose StatementBegin
CREATE FUNCTION next_policy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	-- Once a transaction: each version of a row stays until it ends.
	IF COALESCE(current_setting('chalkring.policy_moved', TRUE), '') <> 'yes' THEN
		UPDATE site SET policy_version = policy_version + 1;
		PERFORM set_config('chalkring.policy_moved', 'yes', TRUE);
	END IF;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER site_policy AFTER UPDATE OF id, host, mode ON site FOR EACH STATEMENT EXECUTE FUNCTION next_policy();
CREATE TRIGGER peers_policy_begun AFTER INSERT OR DELETE ON peers FOR EACH ROW EXECUTE FUNCTION next_policy();
CREATE TRIGGER peers_policy_gone AFTER TRUNCATE ON peers FOR EACH STATEMENT EXECUTE FUNCTION next_policy();
CREATE TRIGGER peers_policy AFTER UPDATE ON peers FOR EACH ROW WHEN (
	(OLD.host, OLD.id, OLD.standing, OLD.subtree, OLD.preset, OLD.ceiling, OLD.inbound, OLD.outbound, OLD.hold, OLD.silenced, OLD.media, OLD.rights, OLD.reports_in, OLD.reports_out, OLD.search, OLD.retention, OLD.per_minute, OLD.per_day, OLD.max_bytes, OLD.backfill, OLD.holding, OLD.expires_at)
	IS DISTINCT FROM (NEW.host, NEW.id, NEW.standing, NEW.subtree, NEW.preset, NEW.ceiling, NEW.inbound, NEW.outbound, NEW.hold, NEW.silenced, NEW.media, NEW.rights, NEW.reports_in, NEW.reports_out, NEW.search, NEW.retention, NEW.per_minute, NEW.per_day, NEW.max_bytes, NEW.backfill, NEW.holding, NEW.expires_at)) EXECUTE FUNCTION next_policy();
CREATE TRIGGER peer_hosts_policy_begun AFTER INSERT ON peer_hosts FOR EACH ROW WHEN (NEW.confirmed_at IS NOT NULL) EXECUTE FUNCTION next_policy();
CREATE TRIGGER peer_hosts_policy_ended AFTER DELETE ON peer_hosts FOR EACH ROW WHEN (OLD.confirmed_at IS NOT NULL) EXECUTE FUNCTION next_policy();
CREATE TRIGGER peer_hosts_policy_gone AFTER TRUNCATE ON peer_hosts FOR EACH STATEMENT EXECUTE FUNCTION next_policy();
CREATE TRIGGER peer_hosts_policy AFTER UPDATE ON peer_hosts FOR EACH ROW WHEN (
	(OLD.host, OLD.peer_id, OLD.role, OLD.confirmed_at) IS DISTINCT FROM (NEW.host, NEW.peer_id, NEW.role, NEW.confirmed_at)) EXECUTE FUNCTION next_policy();

-- +goose Down
DROP TRIGGER peer_hosts_policy ON peer_hosts;
DROP TRIGGER peer_hosts_policy_gone ON peer_hosts;
DROP TRIGGER peer_hosts_policy_ended ON peer_hosts;
DROP TRIGGER peer_hosts_policy_begun ON peer_hosts;
DROP TRIGGER peers_policy ON peers;
DROP TRIGGER peers_policy_gone ON peers;
DROP TRIGGER peers_policy_begun ON peers;
DROP TRIGGER site_policy ON site;
DROP FUNCTION next_policy();
ALTER TABLE site DROP COLUMN policy_version;
DROP TRIGGER oauth_apps_tokens ON oauth_apps;
DROP TRIGGER users_tokens ON users;
DROP TRIGGER accounts_tokens ON accounts;
DROP TRIGGER oauth_tokens_owner ON oauth_tokens;
DROP FUNCTION hold_token_owner();
DROP FUNCTION next_tokens_of_app();
DROP FUNCTION next_tokens_of_user();
DROP FUNCTION next_tokens_of_account();
