SELECT name, current_setting(name) FROM unnest(ARRAY[
    'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size'
]) AS name
