-- SPDX-License-Identifier: GPL-2.0-or-later
-- A fixed job for SQLite that computes: tables in memory, joins, groups, indexes, recursive queries.
.mode list
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200000) INSERT INTO t SELECT i, printf('%08x', (i*2654435761)%4294967296), (i*7919)%10007 FROM n;
CREATE INDEX tb ON t(b);
SELECT sum(length(x.b)), count(*) FROM t x JOIN t y ON x.c = y.a WHERE y.b LIKE '%a%';
SELECT c, count(*), max(b) FROM t GROUP BY c ORDER BY 2 DESC, 1 LIMIT 3;
SELECT count(DISTINCT substr(b,1,4)) FROM t;
WITH RECURSIVE n(i,s) AS (SELECT 1,0 UNION ALL SELECT i+1, (s*31+i)%1000003 FROM n WHERE i<1500000) SELECT max(s) FROM n;
SELECT sum(a*c), avg(c) FROM t WHERE b > '80000000' AND (SELECT 1);
DROP TABLE t;
