/**
 * The commands of the packaged program as a few CommonJS files, `bundle/main.cjs` first: opening a hundred sources one by one takes longer than
 * what most commands do with them (ADR 0040). The sources stay beside them as files: some are started by path, and what they read lies there.
 */
import { dirname, join, relative } from 'node:path'
import { type Plugin, rolldown } from 'rolldown'

/** Libraries that nearly every command loads. The others stay where npm installs them, and are loaded by the few that need them. */
const bundled = /^(chalk|commander|js-yaml|zod)$/

/**
 * @param root of the repository
 * @param staged directory of the package; the files go into its `bundle/`
 */
export async function bundleProgram(root: string, staged: string): Promise<void> {
  const build = await rolldown({
    input: { main: join(root, 'src/main.ts') },
    platform: 'node',
    external: (name, importer) =>
      /^node:/.test(name) ? !isUnused(name, importer) : !/^[./\0#]/.test(name) && !bundled.test(name),
    // What a source does when it is started by itself, it does as the file that it is.
    transform: { define: { 'import.meta.main': 'false' } },
    plugins: [unused, ownPlace(root)],
  })
  await build.write({
    dir: join(staged, 'bundle'),
    format: 'cjs',
    dynamicImportInCjs: false,
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
  })
  await build.close()
}

/** commander starts commands that are programs of their own with it, and we have none: loading it takes a tenth of `--help`. */
const isUnused = (name: string, importer = '') => name === 'node:child_process' && /\/commander\//.test(importer)
const unused: Plugin = {
  name: 'unused',
  resolveId: (name, importer) => (isUnused(name, importer) ? '\0unused' : undefined),
  load: (id) => (id === '\0unused' ? 'export default {}' : undefined),
}

/** A source says where it stands as if it had been loaded from there. */
function ownPlace(root: string): Plugin {
  return {
    name: 'own-place',
    transform(code, id) {
      const path = relative(root, id).replace(/\.ts$/, '.js')
      if (!path.startsWith('src/') || !code.includes('import.meta.')) return undefined
      const at = (place: string) => `(__dirname + ${JSON.stringify(`/../${place}`)})`
      return code
        .replaceAll('import.meta.dirname', at(dirname(path)))
        .replaceAll('import.meta.filename', at(path))
        .replaceAll('import.meta.url', `require('node:url').pathToFileURL${at(path)}.href`)
    },
  }
}
