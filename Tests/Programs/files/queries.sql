.read rows.sql
create index by_name on t(name);
select count(*), sum(id), round(avg(value), 4), min(name), max(name) from t;
select name, hex(note) from t where name like 'name 777%' order by name limit 5;
update t set value = value * 2 where id % 3 = 0;
delete from t where id % 7 = 0;
select count(*), round(sum(value), 2) from t;
select t.name, u.id from t join t as u on u.id = t.id + 1 where t.id between 100 and 110;
pragma integrity_check;
.mode json
select id, name from t order by id desc limit 3;
vacuum;
select count(*) from t;
