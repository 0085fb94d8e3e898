CREATE TABLE usage AS
SELECT month(make_timestamp(start_us))::TINYINT AS month, account, meter, start_us, id, quantity
FROM read_csv('{csv}', header = true, columns = {{
    'account': 'INT', 'meter': 'INT', 'start_us': 'BIGINT', 'id': 'VARCHAR',
    'quantity': 'DECIMAL(15,3)'
}});
