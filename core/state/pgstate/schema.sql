-- What Recess keeps in PostgreSQL (14 or later). Running this again changes nothing.

create table if not exists "recess" (
    name       text        collate "C" primary key, -- one row for each application
    rev        bigint      not null default 1,      -- counts the row's changes
    document   text        not null,                -- JSON
    changed_at timestamptz not null default now()
);

create table if not exists "recess_instances" (
    name       text        collate "C" not null,
    id         text        collate "C" not null,    -- of an instance that follows the row of this name
    report     bytea       not null,                -- what it last said of itself, JSON
    expires_at timestamptz not null,                -- unless it says so again
    primary key (name, id)
) with (fillfactor = 50);

-- Every change of a document is counted and told, whoever makes it and whatever with. Only the row's name is told: to
-- hear a channel needs no right, to read the document does.
create or replace function "recess_changed"() returns trigger language plpgsql as $$
begin
    if tg_op = 'TRUNCATE' then
        perform pg_catalog.pg_notify(tg_table_name, '');
        return null;
    end if;
    if tg_op <> 'INSERT' then
        perform pg_catalog.pg_notify(tg_table_name, old.name);
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    if tg_op = 'UPDATE' then
        new.rev := greatest(new.rev, old.rev + 1);
    end if;
    new.changed_at := now();
    perform pg_catalog.pg_notify(tg_table_name, new.name);
    return new;
end
$$;

create or replace trigger "recess_changed" before insert or update or delete on "recess"
    for each row execute function "recess_changed"();

create or replace trigger "recess_emptied" after truncate on "recess"
    for each statement execute function "recess_changed"();

comment on table "recess" is 'Recess keeps the maintenance state here, schema 1.';
