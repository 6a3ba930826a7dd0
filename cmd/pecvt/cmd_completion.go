package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pecvt/pecvt/posenc"
)

// shells are the shells that completion scripts are made for.
var shells = []struct {
	name string
	gen  func(root *cobra.Command, w io.Writer) error
}{
	{"bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
	{"fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
	{"powershell", func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) }},
	{"zsh", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
}

func newCompletion(a *app) *cobra.Command {
	var names []string
	for _, s := range shells {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print a shell's completion script",
		Long: `completion prints the script that completes commands, flags and their values
in bash, fish, powershell or zsh.`,
		Example: `  source <(pecvt completion bash)
  pecvt completion zsh > "${fpath[1]}/_pecvt"`,
		ValidArgs: names,
		Args:      exactly("SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			i := slices.Index(names, args[0])
			if i < 0 {
				return usagef("completion: shell %q%s", args[0], posenc.Suggest(args[0], names))
			}
			var script bytes.Buffer
			if err := shells[i].gen(cmd.Root(), &script); err != nil {
				return fmt.Errorf("completion: %w", err)
			}
			if a.json {
				return printJSON(cmd, map[string]string{"shell": args[0], "script": script.String()})
			}
			_, err := cmd.OutOrStdout().Write(script.Bytes())
			return err
		},
	}
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "show what a command does, its flags and examples",
		Example: `  pecvt help convert
  pecvt help verify`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return verbNames(cmd), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Root().Help()
			}
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 || about == cmd.Root() {
				return usagef("help: command %q%s", args[0], posenc.Suggest(args[0], verbNames(cmd)))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
