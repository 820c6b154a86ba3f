# Turns sql/queries/*.sql, sql/migrations/*.sql and whole texts (sql/*.sql) into one C header and one C source (POSIX awk; see the
# Makefile). A query file looks so:
#
#   -- role: ccs_api                  who runs what follows; before the first name: the whole file's default
#   -- name: client_by_key            becomes SQL_CLIENT_BY_KEY
#   -- Why it is as it is.
#   select ...;                       up to the next name; without its comment lines and the last semicolon
#
# A role may be several, separated by blanks. tests/system/test_sql.py prepares each statement as each of its roles.

function refuse(why)
{
	printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
	failed = 1
	exit 1
}

function quoted(line)
{
	gsub(/[\\"]/, "\\\\&", line)
	return "\t\"" line "\\n\"\n"
}

function end_statement()
{
	if (name == "")
		return
	if (text[name] == "")
		refuse("statement " name " has no text")
	if (role[name] == "")
		refuse("statement " name " names no role: write \"-- role: ccs_api\" (or ccs_owner, ccs_dispatcher) below its name")
	sub(/;\\n"\n$/, "\"\n", text[name])
}

FNR == 1 {
	end_statement()
	name = file_role = migration = ""
	base = FILENAME
	sub(/^.*\//, "", base)
	kind = FILENAME ~ /\/migrations\// ? "migration" : FILENAME ~ /\/queries\// ? "query" : "text"
	if (kind == "text") {
		sub(/\.sql$/, "", base)
		texts[++texts_n] = base
	}
	if (kind == "migration") {
		if (base !~ /^[0-9][0-9][0-9][0-9]_[a-z0-9_]+\.sql$/)
			refuse("a migration is named NNNN_what.sql")
		if (substr(base, 1, 4) + 0 != migrations + 1)
			refuse("the next migration is number " migrations + 1)
		migrations++
		sub(/\.sql$/, "", base)
		migration_name[migrations] = base
	}
}

kind == "text" {
	whole[base] = whole[base] quoted($0)
	next
}

kind == "migration" {
	migration_text[migrations] = migration_text[migrations] quoted($0)
	next
}

/^-- name: / {
	end_statement()
	name = $3
	if (name !~ /^[a-z][a-z0-9_]*$/ || NF != 3)
		refuse("a statement's name is one word of lower-case letters, digits and underscores")
	if (name in role)
		refuse("there is a statement " name " already")
	names[++queries] = name
	role[name] = file_role
	text[name] = ""
	next
}

/^-- role: / {
	sub(/^-- role: */, "")
	if (name == "")
		file_role = $0
	else
		role[name] = $0
	next
}

/^[ \t]*--/ || /^[ \t]*$/ {
	next
}

{
	if (name == "")
		refuse("a statement starts with a line \"-- name: ...\"")
	text[name] = text[name] quoted($0)
}

END {
	if (failed)
		exit 1
	end_statement()
	if (failed)
		exit 1

	print "/* Made by sql/embed.awk. */" > header
	print "#ifndef CCS_SQL_EMBEDDED_H\n#define CCS_SQL_EMBEDDED_H\n" > header
	print "enum sql_query {" > header
	for (i = 1; i <= queries; i++)
		print "\tSQL_" toupper(names[i]) "," > header
	print "\tSQL_QUERY__N\n};\n" > header
	print "struct sql_statement {\n\tconst char *name;" > header
	print "\tconst char *role; /* who may run it: one or more roles, separated by blanks */" > header
	print "\tconst char *text;\n};" > header
	print "extern const struct sql_statement sql_statements[];\n" > header
	print "struct sql_migration {\n\tint number;\n\tconst char *name;\n\tconst char *text;\n};" > header
	print "extern const struct sql_migration sql_migrations[];" > header
	print "extern const int sql_migrations_n;\n" > header
	for (i = 1; i <= texts_n; i++)
		printf "extern const char sql_%s[]; /* sql/%s.sql */\n", texts[i], texts[i] > header
	print "\n#endif" > header
	close(header)

	print "/* Made by sql/embed.awk. */\n#include \"sql/embedded.h\"\n" > source
	print "const struct sql_statement sql_statements[] = {" > source
	for (i = 1; i <= queries; i++)
		printf "\t{\"%s\", \"%s\",\n%s\t},\n", names[i], role[names[i]], text[names[i]] > source
	print "};\n\nconst struct sql_migration sql_migrations[] = {" > source
	for (i = 1; i <= migrations; i++)
		printf "\t{%d, \"%s\",\n%s\t},\n", i, migration_name[i], migration_text[i] > source
	printf "};\nconst int sql_migrations_n = %d;\n\n", migrations > source
	for (i = 1; i <= texts_n; i++)
		printf "const char sql_%s[] =\n%s\t\"\";\n", texts[i], whole[texts[i]] > source
	close(source)
}
