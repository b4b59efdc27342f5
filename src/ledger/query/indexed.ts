import type { AuditRecord } from '../record/record.ts';
import { fromRfc3339 } from '../record/time.ts';
import type { Tag } from './record-index.ts';
import { wordsIn } from './words.ts';

/** What an index keeps of a record. */
export interface Indexed {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly event: string;
  readonly tenant: string;
  readonly system: string;
  readonly outcome: string | undefined;
  readonly producer: string;
  readonly trace: string | undefined;
  readonly tags: readonly (readonly [tag: Tag, value: string])[];
  /** In the order in which they stand in the record. */
  readonly words: readonly string[];
}

export function indexed(record: AuditRecord): Indexed {
  return {
    id: record.id,
    time: fromRfc3339(record.time),
    event: record.event_name,
    tenant: record.resource['comity.tenant'],
    system: record.resource['comity.system.id'],
    outcome: outcomeOf(record),
    producer: record.producer.id,
    trace: record.trace_id,
    tags: [...tagsOf(record)],
    words: [record.event_name, ...Object.values(record.attributes).flat()].flatMap((value) =>
      wordsIn(String(value)),
    ),
  };
}

function* tagsOf(record: AuditRecord): Generator<readonly [Tag, string]> {
  for (const market of record.jur) yield ['market', market];
  for (const sealed of record.sealed ?? []) yield ['key', sealed.k];
  if ('comity.market' in record.attributes && record.attributes['comity.market'] !== undefined) {
    yield ['market', record.attributes['comity.market']];
  }
  if (record.event_name !== 'comity.policy.decision') return;
  const { 'comity.policy.rule.id': rule, 'comity.policy.rules': rules } = record.attributes;
  if (rule !== undefined) yield ['rule', rule];
  for (const considered of rules ?? []) yield ['rule', considered];
}

function outcomeOf(record: AuditRecord): string | undefined {
  if (record.event_name === 'comity.policy.decision') return record.attributes['comity.policy.verdict'];
  if (record.event_name === 'comity.tool.effect') return record.attributes['comity.tool.outcome'];
  return undefined;
}
