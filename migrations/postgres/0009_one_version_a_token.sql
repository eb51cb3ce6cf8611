-- +goose Up
-- What is remembered of a token is remembered with the version of its row alone,
-- which a change of its app, and of whose token it is, moves on, too.
-- +goose StatementBegin
CREATE FUNCTION next_tokens_of_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE oauth_tokens SET version = version WHERE account_id = NEW.id;
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION next_tokens_of_user() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE oauth_tokens SET version = version WHERE account_id = COALESCE(NEW.account_id, OLD.account_id);
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION next_tokens_of_app() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE oauth_tokens SET version = version WHERE app_id = OLD.id;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER accounts_tokens AFTER UPDATE ON accounts FOR EACH ROW WHEN (NEW.host = '' OR OLD.host = '') EXECUTE FUNCTION next_tokens_of_account();
CREATE TRIGGER users_tokens AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION next_tokens_of_user();
CREATE TRIGGER oauth_apps_tokens AFTER UPDATE ON oauth_apps FOR EACH ROW EXECUTE FUNCTION next_tokens_of_app();

-- +goose Down
DROP TRIGGER oauth_apps_tokens ON oauth_apps;
DROP TRIGGER users_tokens ON users;
DROP TRIGGER accounts_tokens ON accounts;
DROP FUNCTION next_tokens_of_app();
DROP FUNCTION next_tokens_of_user();
DROP FUNCTION next_tokens_of_account();
