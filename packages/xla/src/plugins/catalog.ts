/** The plugins that can be installed: pinned wheels of PyPI. A wheel is a zip file, and its library needs no Python. */

/** Names of the plugins that `installPlugin` knows. */
export type PluginName = 'cpu' | 'cuda12' | 'cuda13' | 'tpu';

/** What a plugin computes on. */
export type Device = 'cpu' | 'cuda' | 'tpu';

/** A wheel for one kind of computer. */
export interface Wheel {
  /** Platform and processor, as Node.js names them. */
  readonly platform: string;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface CatalogEntry {
  readonly name: PluginName;
  readonly device: Device;
  /** The project on PyPI. */
  readonly project: string;
  readonly version: string;
  /** The path of the library, in the wheel and in a folder of Python packages. */
  readonly library: string;
  readonly license: string;
  readonly wheels: readonly Wheel[];
}

const x64 = 'linux-x64';
const arm64 = 'linux-arm64';

export const catalog: readonly CatalogEntry[] = [
  {
    name: 'cpu',
    device: 'cpu',
    project: 'lammps-jax-pjrt-cpu',
    version: '0.11.2',
    library: 'lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so',
    license: 'Apache-2.0',
    wheels: [
      {
        platform: x64,
        file: 'lammps_jax_pjrt_cpu-0.11.2-py3-none-manylinux_2_27_x86_64.whl',
        bytes: 62_711_338,
        sha256: '1319390d948b39f69f7dade496b7c385149d9ca6097a6b62114da113216d9ad1',
      },
    ],
  },
  {
    name: 'cuda12',
    device: 'cuda',
    project: 'jax-cuda12-pjrt',
    version: '0.12.0.1',
    library: 'jax_plugins/xla_cuda12/xla_cuda_plugin.so',
    license: 'Apache-2.0',
    wheels: [
      {
        platform: x64,
        file: 'jax_cuda12_pjrt-0.12.0.1-py3-none-manylinux_2_27_x86_64.whl',
        bytes: 191_846_358,
        sha256: '5ec28e06198d094031c37590b4ea753ae8cde4879ab4b60baf40f0dffb673286',
      },
      {
        platform: arm64,
        file: 'jax_cuda12_pjrt-0.12.0.1-py3-none-manylinux_2_27_aarch64.whl',
        bytes: 185_765_557,
        sha256: 'e6aa6c58c5420c1bda22db31a2f6c5c1d0a66cb701eeb731feae44fef197717c',
      },
    ],
  },
  {
    name: 'cuda13',
    device: 'cuda',
    project: 'jax-cuda13-pjrt',
    version: '0.12.0.1',
    library: 'jax_plugins/xla_cuda13/xla_cuda_plugin.so',
    license: 'Apache-2.0',
    wheels: [
      {
        platform: x64,
        file: 'jax_cuda13_pjrt-0.12.0.1-py3-none-manylinux_2_27_x86_64.whl',
        bytes: 134_922_808,
        sha256: '5899bb6177eda86ea532afb9a26794f2bdd04966f6a01f9028266b16c2b6cf90',
      },
      {
        platform: arm64,
        file: 'jax_cuda13_pjrt-0.12.0.1-py3-none-manylinux_2_27_aarch64.whl',
        bytes: 128_847_710,
        sha256: '40758d042df8c06991b6a1a8016b56e9cefb1ed4c677c062125c3eb71c3dab97',
      },
    ],
  },
  {
    name: 'tpu',
    device: 'tpu',
    project: 'libtpu',
    version: '0.0.52',
    library: 'libtpu/libtpu.so',
    license: 'the Google Cloud Platform Terms of Service, https://cloud.google.com/terms',
    wheels: [
      {
        platform: x64,
        // The wheels of all versions of Python have the same library.
        file: 'libtpu-0.0.52-cp312-cp312-manylinux_2_31_x86_64.whl',
        bytes: 137_064_515,
        sha256: 'f76ab1f4d697c346371c50058796f6baa93317b89be8cf8a1012715a2655120d',
      },
    ],
  },
];
