-- The decision ledger: read, and verified link by link (registry/ledger.c). It is written by the dispatcher's statements.
-- role: ccs_owner

-- name: ledger_nodes
-- Whose chains there are.
select node from ledger_head order by node;

-- name: ledger_page
-- Links of node $1 behind position $2, in order.
select seq, at, decisions, before, hash from ledger where node = $1::text and seq > $2::bigint order by seq limit 1000;

-- name: ledger_search
-- Decisions in which $1 stands as a word, decided from $2 on, the last ones first. Columns: node, position, when, the decision.
select l.node, l.seq, l.at, d.line
  from ledger l cross join lateral unnest(string_to_array(l.decisions, E'\n')) with ordinality as d (line, k)
 where l.at >= $2::timestamptz and strpos(l.decisions, $1::text) > 0 and $1 = any (string_to_array(d.line, ' '))
 order by l.at desc, l.node, l.seq desc, d.k desc
 limit 1000;

-- name: ledger_anchors
-- role: ccs_dispatcher ccs_owner
select node, seq, hash from ledger_anchors();

-- name: ledger_retire
-- role: ccs_dispatcher ccs_owner
select dropped from ledger_retire($1::bigint);
