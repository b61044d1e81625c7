import type { SqlExecutor } from '../../../../src/domain/database/sql-executor.ts';

/**
 * Everything that makes up the schema, one line each, in an order of its own. The order of columns in a table is left out:
 * nothing goes by it.
 */
export async function catalogue(sql: SqlExecutor): Promise<string[]> {
  const rows = await sql.query<{ line: string }>(`
    with own as (select oid from pg_namespace where nspname = 'public'),
    tables as (select * from pg_class where relnamespace in (select oid from own) and relkind in ('r', 'p', 'v', 'm', 'S'))
    select format('%s %s', case relkind when 'S' then 'sequence' else 'relation ' || relkind::text end, relname) as line from tables
    union all
    select format('column %s.%s %s%s%s%s collate %s storage %s default %s', t.relname, a.attname,
      format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' end, ' identity ' || nullif(a.attidentity::text, ''),
      ' generated ' || nullif(a.attgenerated::text, ''), coalesce(c.collname, '-'), a.attstorage,
      coalesce(pg_get_expr(d.adbin, d.adrelid), '-'))
    from tables t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
    left join pg_collation c on c.oid = a.attcollation
    where t.relkind <> 'S'
    union all
    select format('constraint %s.%s %s%s', t.relname, o.conname, pg_get_constraintdef(o.oid),
      case when o.convalidated then '' else ' not valid' end)
    from tables t join pg_constraint o on o.conrelid = t.oid
    union all
    select format('index %s valid %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
    from tables t join pg_index i on i.indrelid = t.oid
    union all
    select format('trigger %s enabled %s', pg_get_triggerdef(g.oid), g.tgenabled)
    from tables t join pg_trigger g on g.tgrelid = t.oid and not g.tgisinternal
    union all
    select pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace in (select oid from own)
    union all
    select format('type %s %s', typname, typtype) from pg_type
    where typnamespace in (select oid from own) and typtype in ('e', 'd', 'c') and typrelid = 0
    order by line`);
  return rows.map(({ line }) => line);
}
