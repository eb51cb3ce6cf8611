-- +goose Up
CREATE INDEX quote_approvals_account ON quote_approvals (account_id);
CREATE INDEX oauth_codes_app ON oauth_codes (app_id);
CREATE INDEX oauth_tokens_app ON oauth_tokens (app_id);

-- +goose Down
DROP INDEX oauth_tokens_app;
DROP INDEX oauth_codes_app;
DROP INDEX quote_approvals_account;
