pragma journal_mode = wal;
create table log(n integer primary key, text);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000) insert into log select n, 'row ' || n from c;
begin; insert into log values(2001, 'rolled back'); rollback;
begin; savepoint s; insert into log values(2002, 'kept'); release s; commit;
insert into log values(1, 'duplicate');
select count(*), max(n) from log;
pragma wal_checkpoint(truncate);
