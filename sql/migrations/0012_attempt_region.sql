-- The region of the number beside its attempt, so that what the journal takes is counted on its day without looking the
-- plans up again. Null: journalled before, or not known.
alter table attempt add column region text;
