-- What is final carries a checksum of its whole row; rows of before have none.
ALTER TABLE codes ADD COLUMN checksum %bytes%;
ALTER TABLE objects ADD COLUMN checksum %bytes%;
ALTER TABLE ledger_entries ADD COLUMN checksum %bytes%;
ALTER TABLE documents ADD COLUMN checksum %bytes%;
ALTER TABLE delivered_corrections ADD COLUMN checksum %bytes%;
ALTER TABLE account_closes ADD COLUMN checksum %bytes%;
ALTER TABLE close_links ADD COLUMN checksum %bytes%;

-- Closes of one account: its periods are looked at by every close.
CREATE INDEX account_closes_account ON account_closes (billing_account);
