// What the benchmarks of the ledger record: calls of a model.
import { type Producer, startProducer } from '../src/ledger/record/producer.ts';
import type { RecordOf } from '../src/ledger/record/record.ts';

const CALL = 'gen_ai.client.inference.operation.details';

export function benchProducer(): Producer {
  return startProducer({
    id: 'bench',
    resource: { 'comity.system.id': 'bench', 'comity.tenant': 'bench', 'service.name': 'bench' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: ['DE', 'BR'],
  });
}

export function modelCall(producer: Producer): RecordOf<typeof CALL> {
  return producer.record(CALL, {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'example',
    'gen_ai.request.model': 'model',
    'gen_ai.usage.input_tokens': 100,
    'gen_ai.usage.output_tokens': 200,
  });
}
