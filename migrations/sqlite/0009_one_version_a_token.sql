-- +goose Up
-- What is remembered of a token is remembered with the version of its row alone,
-- which a change of its app, and of whose token it is, moves on, too.
-- +goose StatementBegin
CREATE TRIGGER accounts_tokens AFTER UPDATE OF version ON accounts WHEN NEW.host = '' OR OLD.host = '' BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = NEW.id; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_tokens_added AFTER INSERT ON users BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = NEW.account_id; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_tokens AFTER UPDATE OF version ON users BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = NEW.account_id; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_tokens_gone AFTER DELETE ON users BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE account_id = OLD.account_id; END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER oauth_apps_tokens AFTER UPDATE OF version ON oauth_apps BEGIN UPDATE oauth_tokens SET used_on = used_on WHERE app_id = NEW.id; END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER oauth_apps_tokens;
DROP TRIGGER users_tokens_gone;
DROP TRIGGER users_tokens;
DROP TRIGGER users_tokens_added;
DROP TRIGGER accounts_tokens;
