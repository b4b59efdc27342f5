import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../facts/problem.ts';
import { InputError, throwIfAny } from '../../facts/problem.ts';
import type { Agreements } from '../../rules/agreement.ts';
import { readAgreements } from '../../rules/agreement-read.ts';
import type { Crosswalk } from '../../rules/crosswalk.ts';
import { readCrosswalks } from '../../rules/crosswalk-read.ts';
import type { Framework } from '../../rules/framework.ts';
import { readFrameworks } from '../../rules/framework.ts';
import type { LawFile } from '../../rules/law.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import { BUNDLED_LAW, readLawFiles } from '../../rules/load.ts';

/** What lies beside the law and is read only when asked for: a check must not pay for it. */
export interface Coordination {
  readonly frameworks: ReadonlyMap<string, Framework>;
  readonly crosswalks: ReadonlyMap<string, Crosswalk>;
  readonly agreements: Agreements;
}

function prefixOf({ directory }: LoadedLaw): string {
  return directory === BUNDLED_LAW ? 'law/' : `${directory}/`;
}

/** The files of one folder of a body of law; none where it has no such folder. */
function folderOf({ directory }: LoadedLaw, folder: string): readonly LawFile[] {
  const path = join(directory, folder);
  if (!existsSync(path)) return [];
  return readLawFiles(path).map((file) => ({ ...file, path: `${folder}/${file.path}` }));
}

/**
 * Reads the agreements of a body of law.
 *
 * @throws InputError with every mistake in every file.
 */
export function loadAgreements(loaded: LoadedLaw): Agreements {
  return readAgreements(folderOf(loaded, 'agreements'), loaded.law, prefixOf(loaded));
}

/**
 * Reads frameworks, crosswalks and agreements of a body of law.
 *
 * @throws InputError with every mistake in every file; crosswalks are read only against frameworks without mistake.
 */
export function loadCoordination(loaded: LoadedLaw): Coordination {
  const { law } = loaded;
  const prefix = prefixOf(loaded);
  const problems: Problem[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  };
  const agreements = attempt(() => loadAgreements(loaded));
  const frameworks = attempt(() => readFrameworks(folderOf(loaded, 'frameworks'), law, prefix));
  const crosswalks =
    frameworks && attempt(() => readCrosswalks(folderOf(loaded, 'crosswalks'), { law, frameworks }, prefix));
  throwIfAny(problems);
  if (agreements === undefined || frameworks === undefined || crosswalks === undefined)
    throw new InputError(problems);
  return { agreements, frameworks, crosswalks };
}
